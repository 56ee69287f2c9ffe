"""Bytes to begin with: what the tests themselves hold, and real ones where there are any."""

import ast
from pathlib import Path

from tests.builders import SHARED

UNIT = Path(__file__).parents[1] / "unit"
MOST = 16_000  # bytes of a sample: longer ones make a run slow and teach it nothing more


def said_in(*modules: str) -> list[bytes]:
    """Return every text and byte string of some test modules, documents and fragments alike."""
    found: dict[bytes, None] = {}
    for module in modules:
        for node in ast.walk(ast.parse((UNIT / f"{module}.py").read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                value = node.value
                found[value.encode(errors="replace") if isinstance(value, str) else value] = None
    return [one for one in found if one]


def real(*parts: str, most: int = 40) -> list[bytes]:
    """Return the beginnings of the first files in a folder of real data; none where it is not."""
    folder = SHARED.joinpath(*parts)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path.read_bytes()[:MOST] for path in files[:most]]
