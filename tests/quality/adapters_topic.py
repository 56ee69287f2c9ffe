"""What the topic evaluation calls: the product's own function, in plain values."""

from pathlib import Path

from ingest import topics
from ingest.score import explain

TOPIC = topics.load(
    Path(__file__).resolve().parents[2] / "topics" / "health-social-care-integration.toml"
)


def topic_score(title: str, text: str) -> float:
    """Return how sure the shipped topic file is of a story, 0.0 to 1.0."""
    return explain(TOPIC, title, text).score
