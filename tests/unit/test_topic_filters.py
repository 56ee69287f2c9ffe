"""Off topic, for review, not news: three faults that come from the topic file."""

from dataclasses import replace

import pytest

from ingest import topics
from ingest.extract import Extract
from ingest.filters.case import Case
from ingest.filters.not_news import not_news
from ingest.filters.off_topic import off_topic, review
from ingest.score import explain
from tests.builders import ENTRY, STORY
from tests.unit.test_topics import FLOODS

SIGNS = 'languages = ["en"]\nrefuse_urls = "mgAi.aspx, /about/"\nexempt = "/news/"'
TOPIC = topics.parse(FLOODS.replace('languages = ["en"]', SIGNS).encode(), "floods.toml")


def case(title: str = "", url: str = "https://a.example/b") -> Case:
    return Case(
        entry=ENTRY,
        url=url,
        hops=(url,),
        extract=Extract(),
        story=replace(STORY, title=title, text=""),
        topic=TOPIC,
        score=explain(TOPIC, title, ""),
    )


def test_a_story_on_the_topic_passes() -> None:
    story = case("Flood defences open")

    assert off_topic(story) is None
    assert review(story) is None


def test_a_story_on_something_else_is_off_topic_with_its_reasons() -> None:
    story = case("Football called off after flood")

    assert off_topic(story) == "refused 0.00: title strays to ‘Football’"
    assert review(story) is None


def test_a_story_in_the_band_is_for_a_person() -> None:
    story = case("Tide over bank")

    assert off_topic(story) is None
    assert review(story) == "review 0.36: title pairs ‘Tide’ + ‘bank’"


def test_a_page_without_a_story_has_no_topic_to_miss() -> None:
    story = replace(case(), score=None)

    assert off_topic(story) is None
    assert review(story) is None


@pytest.mark.parametrize(
    ("url", "evidence"),
    [
        ("https://town.example/mgAi.aspx?ID=7", "the URL has 'mgai.aspx'"),
        ("https://town.example/About/us", "the URL has '/about/'"),
        ("https://town.example/news/about/floods", None),
        ("https://paper.example/2026/floods", None),
    ],
)
def test_pages_that_are_not_news_are_known_by_their_url(url: str, evidence: str | None) -> None:
    assert not_news(case(url=url)) == evidence
