"""Targets for a fuzzer: each parser of strangers' bytes, and what must hold for any bytes.

A target is a module with `run(data)`, which raises for bytes that break a promise, and `seeds()`,
bytes to begin with. `python -m tests.fuzz` drives them; tests/unit/test_fuzz.py keeps them alive.
"""

from importlib import import_module
from types import ModuleType

TARGETS = ("feeds", "sitemap", "listing", "dates", "urls", "robots", "warc", "answers")


def target(name: str) -> ModuleType:
    return import_module(f"tests.fuzz.{name}")
