"""What the extraction evaluation calls: the product's own function, in plain values."""

from datetime import date

from ingest.extract import Hints, extract


def extract_page(html: str | bytes, url: str | None = None) -> dict[str, str | date | None]:
    """Return text (without its title line), title and date of a page; no text when it has none."""
    content = html if isinstance(html, bytes) else html.encode(errors="replace")
    content_type = "text/html" if isinstance(html, bytes) else "text/html; charset=utf-8"
    found = extract(content, content_type, url or "", Hints())
    return {"text": "\n\n".join(found.blocks), "title": found.title, "date": found.published}
