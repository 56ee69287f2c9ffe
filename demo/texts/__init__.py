"""The texts of the demo, one file each; all places, people and figures in them are invented."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Text:
    """A title and its paragraphs."""

    title: str
    paragraphs: tuple[str, ...]


def text(name: str) -> Text:
    title, *paragraphs = (Path(__file__).parent / f"{name}.txt").read_text().strip().split("\n\n")
    return Text(title, tuple(paragraphs))
