"""Topic and text -> score, with the evidence for every point of it (pure).

The log odds of the score are the topic's bias and the points of all evidence. What is found
counts by its zone: the title; the intro and the lead, the first characters of the text,
where a news story says what it is about; the body, where it mentions the rest of the world. No
word counts twice in favour. The rules, as they are told to people:

    says        a strong phrase
    names       a body that exists for the topic, as the subject
    mentions    such a body in passing
    joins       a sentence with words of every group
    pairs       a sentence with all groups but the linking one; counts once
    strays_to   a phrase of another topic, in title or intro
    cap         points taken back: more of one kind than counts
    gate        points taken back: no word of the prefilter, so at most a case for review
"""

import math
import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ingest.sieve import Finder
from ingest.topics import Phrases, Topic

VERSION = 1  # of the rules; with a topic file's digest it repeats any past score
NEAR = 1500  # bytes: more than a sentence has
HEADLINE = 600  # bytes: more than a title has
APART = 3  # sentences: one that a page interrupts, by a note that is no story, goes on within them
MAX_CHARS = 20_000  # looked at: the subject is told by then, and hostile text costs no more

_SENTENCE_END = re.compile(r"(?<=[.!?;])[\"'”’)]*\s+|\n+")
_STOP = re.compile(rb"[.!?;](?:['\")\]]|\xe2\x80[\x99\x9d])*\s")  # as above, in UTF-8
_ZONES = ("title", "intro", "lead", "body")
_Span = tuple[int, int]
_Found = tuple[str, float, list[_Span]]  # rule, points before the zone's factor, its words


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason why the score is higher or lower."""

    rule: str
    zone: str  # title, intro, lead, body; empty for the whole story
    found: tuple[str, ...]  # as they stand in the story
    points: float  # log odds, two decimals


@dataclass(frozen=True, slots=True)
class TopicScore:
    """How sure we are that a story is on the topic, and why."""

    score: float  # 0.0 to 1.0
    decision: str  # accepted, review, refused
    bias: float  # log odds; with the points of all evidence, the log odds of the score
    evidence: tuple[Evidence, ...]  # weightiest first

    def __str__(self) -> str:
        """Return the decision, the score and the weightiest reasons as one sentence."""
        told = [
            f"{e.zone} {e.rule.replace('_', ' ')} {' + '.join(f'‘{words}’' for words in e.found)}"
            for e in self.evidence
            if e.found
        ][:4] or ["nothing speaks for it"]
        if any(e.rule == "gate" for e in self.evidence):
            told.insert(0, "no word of the prefilter stands in it")
        return f"{self.decision} {self.score:.2f}: {'; '.join(told)}"


def prefilter(topic: Topic, page: bytes) -> bool:
    """Tell whether a page may hold a story on the topic; cheap, before any extraction.

    Sound: no page for which this is false holds a story that would be accepted. When it is
    false for a page it is false for the text in it, and then `explain` takes back so many
    points that the score stays below the threshold. What a page may do to a word is told at
    ingest.sieve.
    """
    return topic.prefilter.passes(page)


def ceiling(topic: Topic, page: str) -> float:
    """Return the most log odds that a story somewhere in a page can score; infinite in doubt.

    `page` is what ingest.sieve.told says, and other titles. Each phrase counts once, as if it
    stood in the title, and nothing speaks against. Where words of the groups stand near each
    other, and no sentences between, there may be one with all of them, or, nearer still, a title.
    """
    standing, weights = _standing(topic, page), topic.weights
    ends = [standing.get(group, []) for group in topic.groups.values()]
    paired = ends[:-1]
    near = page.encode(errors="replace") if _meet(paired, NEAR) else b""
    stops = [m.end() for m in _STOP.finditer(near)]

    def meet(groups: Sequence[Sequence[int]], within: int) -> bool:
        sentences = [[bisect(stops, end - 1) for end in ends] for ends in groups]
        return _meet(groups, within) and _meet(sentences, APART)

    if meet(ends, NEAR):
        return math.inf
    most = sum(
        points * len({m.group() for m in phrases.pattern.finditer(page)})
        for points, phrases in (*topic.strong, *topic.bodies)
        if phrases in standing
    )
    below = max(weights.intro, weights.lead, weights.body)
    best = max(weights.title, below)
    pair = best if meet(paired, HEADLINE) else below if meet(paired, NEAR) else 0.0
    return weights.bias + most * best + weights.pairs * pair


def _standing(topic: Topic, text: str) -> dict[Phrases, list[int]]:
    """Return where phrases may stand in a lower-case text; those of a list not in it stand nowhere.

    To look for each list by itself takes fifty times as long.
    """
    lists, finder = _finder(topic)
    return {lists[n]: ends for n, ends in finder.ends(text).items()}


@lru_cache(maxsize=1)
def _finder(topic: Topic) -> tuple[Sequence[Phrases], Finder]:
    tiers = (*topic.strong, *topic.bodies, *topic.negative)
    alone = (topic.mask, topic.beside)
    lists = [*topic.groups.values(), *(p for _, p in tiers), *(p for p in alone if p)]
    return lists, Finder([phrases.source for phrases in lists])


def _meet(groups: Sequence[Sequence[int]], within: int) -> bool:
    """Tell whether words of all groups stand near one of the first; of each group, the ends."""
    first, *others = groups
    return any(
        all(
            (after := bisect(ends, end - within)) < len(ends) and ends[after] < end + within
            for ends in others
        )
        for end in first
    )


def explain(topic: Topic, title: str, text: str) -> TopicScore:
    """Score a story; `text` may begin with the title, as corpus files do."""
    first, _, others = text.partition("\n")
    rest = others if first.strip() == title.strip() else text
    story = f"{title.replace(chr(10), ' ')}\n{rest.lstrip()}"[:MAX_CHARS]
    evidence = list(_weighed(topic, len(title), story))
    for zone, most in (("body", topic.weights.cap_body), ("", topic.weights.cap)):
        pro = sum(e.points for e in evidence if e.rule != "strays_to" and zone in (e.zone, ""))
        if pro > most:
            evidence.append(Evidence("cap", zone, (), round(most - pro, 2)))
    total = sum(e.points for e in evidence)
    if total > (most := _just_short(topic)) and not prefilter(topic, story.encode()):
        evidence.append(Evidence("gate", "", (), round(most - total, 2)))
    evidence.sort(key=lambda e: -abs(e.points))
    bias = topic.weights.bias
    odds = math.exp(math.fsum((bias, *(e.points for e in evidence))))
    score = odds / (1 + odds)
    low, high = topic.review
    decision = "accepted" if score >= high else "review" if score >= low else "refused"
    return TopicScore(score, decision, bias, tuple(evidence))


def _just_short(topic: Topic) -> float:
    """Return the most points with which a story is not yet accepted, in whole hundredths."""
    needed = math.log(topic.threshold / (1 - topic.threshold)) - topic.weights.bias
    return math.ceil(100 * needed - 1) / 100


def check(topic: Topic) -> list[str]:
    """Return one sentence for each of the file's own examples that it gets wrong."""
    wanted = [("accepted", e) for e in topic.yes] + [("refused", e) for e in topic.no]
    judged = [(d, e.name, explain(topic, e.text.split("\n")[0], e.text)) for d, e in wanted]
    return [f"{n!r} should be {d} but is {score}" for d, n, score in judged if score.decision != d]


def _weighed(topic: Topic, title_end: int, story: str) -> Iterator[Evidence]:
    """Give what is found its zone and points; the best sentence speaks for the others."""
    weights = topic.weights
    ends = (title_end, title_end + weights.intro_chars, title_end + weights.lead_chars)
    factors = (weights.title, weights.intro, weights.lead, weights.body)
    best: dict[str, Evidence] = {}
    for rule, points, spans in _found(topic, story):
        at = bisect(ends, min(spans)[0])
        found = tuple(story[start:end] for start, end in spans)
        evidence = Evidence(rule, _ZONES[at], found, round(points * factors[at], 2))
        if rule in ("joins", "pairs"):
            place = evidence.zone if rule == "joins" else "any"
            best[place] = max(best.get(place, evidence), evidence, key=lambda e: e.points)
        elif rule != "strays_to" or evidence.zone in ("title", "intro"):
            yield evidence
    yield from best.values()


def _found(topic: Topic, story: str) -> Iterator[_Found]:
    """Find the words of every rule; what has been found in favour is blanked for the next."""
    text = story.replace("İ", "I").lower()  # the one letter that is longer in lower case
    standing = _standing(topic, text)
    if topic.mask in standing:
        text = _blank(text, topic.mask)
    for points, phrases in topic.negative:
        for span in _firsts(text, phrases) if phrases in standing else ():
            yield "strays_to", -points, [span]
    bare, bodies = text, list[tuple[int, _Span]]()
    for points, phrases in topic.bodies:
        if phrases in standing:
            bodies += [(points, span) for span in _firsts(bare, phrases)]
            bare = _blank(bare, phrases)
    groups = list(topic.groups.values())
    may_meet = all(group in standing for group in groups[:-1])
    sentences = _sentences(text) if bodies or may_meet else []
    beside = topic.beside if bodies and topic.beside in standing else None
    about = [s for s in sentences if beside and beside.pattern.search(bare, *s)]
    for points, span in bodies:
        if any(start <= span[0] < end for start, end in about):
            yield "names", points, [span]
        else:
            yield "mentions", points * topic.weights.mentions, [span]
    for points, phrases in topic.strong:
        if phrases in standing:
            for span in _firsts(bare, phrases):
                yield "says", points, [span]
            bare = _blank(bare, phrases)
    for start, end in sentences if may_meet else ():
        met = [group.pattern.search(bare, start, end) for group in groups]
        spans = [m.span() for m in met if m]
        if all(met):
            yield "joins", topic.weights.joins, spans
        elif all(met[:-1]):
            yield "pairs", topic.weights.pairs, spans


def _sentences(text: str) -> list[_Span]:
    ends = [m.span() for m in _SENTENCE_END.finditer(text)]
    return list(zip([0, *(b for _, b in ends)], [*(a for a, _ in ends), len(text)], strict=True))


def _firsts(text: str, phrases: Phrases) -> list[_Span]:
    """Return where each different phrase stands first."""
    firsts: dict[str, _Span] = {}
    for m in phrases.pattern.finditer(text):
        firsts.setdefault(m.group(), m.span())
    return list(firsts.values())


def _blank(text: str, phrases: Phrases) -> str:
    return phrases.pattern.sub(lambda m: "#" * len(m.group()), text)
