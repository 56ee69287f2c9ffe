"""Two stories -> Likeness: how much of one stands in the other, and what differs in place.

How much two texts share cannot tell a copy from a form: agency copy cut to half shares less with
its original than two press releases written from one template. What differs can. A copy lacks
and adds whole runs of words; a form has other facts in the same places. So the texts are aligned,
and the facts swapped are set against the words that agree. The figures were measured on a
labelled stream of 2,395 stories, and chosen where moving them changes least.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, chain, pairwise

from rapidfuzz.distance import LCSseq

from ingest.words import lines, whole, words
from storage.model import Lookalike, Story

COPY_FROM = 0.52  # containment; one copy lay under 0.55, of other stories two over 0.42 (0.50)
RELATED_FROM = 0.15  # containment; less is a phrase or two, or what a site says under each story
SWAPS_TO = 4.5  # to a hundred aligned words; but for 4 pairs copies had 4.1 at most, forms 5.1
NUMBERS_TO = 3  # however long the text; 937 pairs of copies had two at most, forms three to ten
ROUND_UP = 4  # a story so many times as long as what it repeats is worth keeping beside it
LONGEST = 10_000  # words compared; the alignment takes LONGEST ** 2 / 8 bytes
_NEARLY_WHOLE = 0.8
_SOUND = 2  # words; one word alone agrees by chance, above all where two sites' furniture meets
_SENTENCE = 8  # words; a shorter line is a headline, a byline, a date or a link
_FACT = 12  # words; more in place of more is another passage and not another fact
_CONTEXT = 3  # words of a line that must agree before the others in it count as swapped


class Kind(StrEnum):
    """What became of the old story's text in the new one."""

    EXACT = "exact"  # the same words
    REISSUE = "reissue"  # nearly all of it, and little else
    ABRIDGED = "abridged"  # a part of it, and little else
    UPDATED = "updated"  # nearly all of it, and more
    REPRINT = "reprint"  # a part of it, and more


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A run of words in both texts; positions count from 0 in `words(whole(story))`."""

    old: int
    new: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Words of the old text, and those which have their very place in the new one."""

    old: str
    new: str
    weight: int
    number: bool  # both have one, and not the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What two stories have in common, and what they have swapped."""

    kind: Kind
    kept: float  # 0.0 to 1.0: share of the old story's sentences, by words, that the new one has
    taken: float  # 0.0 to 1.0: share of the new story's sentences, by words, that the old one had
    growth: float  # words of the new story to one of the old
    swaps_per_100: float  # weight of the swaps to a hundred words that agree
    numbers: int  # different numbers among the swaps
    passages: tuple[Passage, ...]  # in order, of two words and more
    swaps: tuple[Swap, ...]

    @property
    def containment(self) -> float:
        """Return how far one of the stories stands in the other, 0.0 to 1.0."""
        return max(self.kept, self.taken)

    @property
    def is_copy(self) -> bool:
        """Tell whether the new story need not stand beside the old one.

        A round-up that swallowed a brief, or a brief grown to a feature, is no copy: to drop it
        would lose most of it. That is the one answer which depends on who was first.
        """
        if self.kind is Kind.EXACT:
            return True
        is_form = self.swaps_per_100 > SWAPS_TO or self.numbers > NUMBERS_TO
        return self.containment >= COPY_FROM and not is_form and self.growth <= ROUND_UP

    @property
    def is_related(self) -> bool:
        """Tell whether the two share passages and yet are two stories."""
        return self.containment >= RELATED_FROM and not self.is_copy

    def __str__(self) -> str:
        return f"kind={self.kind} containment={self.containment:.2f} swaps={self.swaps_per_100:.1f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """A kept story that the new one copies, or is related to."""

    lookalike: Lookalike
    likeness: Likeness


def kin(story: Story, lookalikes: Iterable[Lookalike]) -> list[Kin]:
    """Return those of the lookalikes that the story copies or is related to.

    Copies come first, and among both the likest; `likeness.is_copy` tells which is which.
    """
    now = _Text(story)
    compared = (Kin(lookalike=a, likeness=_compare(_Text(a.story), now)) for a in lookalikes)
    found = [one for one in compared if one.likeness.is_copy or one.likeness.is_related]
    return sorted(
        found, key=lambda k: (not k.likeness.is_copy, -k.likeness.kept - k.likeness.taken)
    )


def side_by_side(old: Story, new: Story) -> list[tuple[bool, str, str]]:
    """Return both texts in rows, in order: whether they agree there, the old's and the new's part.

    Parts are as printed, white space aside; "" where a text has nothing. Runs that agree in less
    than a sentence's words count as part of the difference around them.
    """
    was, now = _Printed(whole(old)), _Printed(whole(new))
    rows = []
    for p in likeness(old, new).passages:
        if p.length >= _SENTENCE:
            rows.append((False, was.cut(p.old), now.cut(p.new)))
            rows.append((True, was.cut(p.old + p.length), now.cut(p.new + p.length)))
    rows.append((False, was.cut(), now.cut()))
    return [row for row in rows if row[1] or row[2]]


class _Printed:
    """A text as printed, to be cut between words."""

    def __init__(self, text: str) -> None:
        self._chunks, self._at = text.split(), 0
        # how many words stand before each chunk: one may hold none ("-") or two ("£1.5m")
        self._before = list(accumulate((len(words(chunk)) for chunk in self._chunks), initial=0))

    def cut(self, before: int | None = None) -> str:
        """Return what follows the last cut, to before the word of that number."""
        end = len(self._chunks) if before is None else bisect_left(self._before, before)
        part, self._at = self._chunks[self._at : end], end
        return " ".join(part)


def likeness(old: Story, new: Story) -> Likeness:
    """Compare two stories, titles included, up to LONGEST words of each."""
    return _compare(_Text(old), _Text(new))


def _compare(was: "_Text", now: "_Text") -> Likeness:
    passages = _passages(was.words, now.words)
    was.agreed = Counter(n for p in passages for n in was.lines[p.old : p.old + p.length])
    now.agreed = Counter(n for p in passages for n in now.lines[p.new : p.new + p.length])
    kept, taken = was.share(), now.share()
    swaps = tuple(_swaps(was, now, passages))
    aligned = sum(p.length for p in passages)
    return Likeness(
        kind=Kind.EXACT if was.words == now.words else _kind(kept, taken),
        kept=kept,
        taken=taken,
        growth=len(now.words) / max(1, len(was.words)),
        swaps_per_100=100 * sum(swap.weight for swap in swaps) / max(1, aligned),
        numbers=len({(swap.old, swap.new) for swap in swaps if swap.number}),
        passages=passages,
        swaps=swaps,
    )


class _Text:
    def __init__(self, story: Story) -> None:
        parts = lines(whole(story))
        self.words = list(chain.from_iterable(parts))[:LONGEST]
        self.lines = [n for n, part in enumerate(parts) for _ in part][:LONGEST]  # of each word
        self.agreed: Counter[int] = Counter()  # for each line, how many of its words

    def share(self) -> float:
        """Return how much of the sentences agrees: lines of which less than half does, do not.

        A text that is mostly short lines, such as a list of results, is taken whole.
        """
        lengths = Counter(self.lines)
        sentences = {line: length for line, length in lengths.items() if length >= _SENTENCE}
        if 2 * sum(sentences.values()) < len(self.lines):
            sentences = lengths
        shared = sum(self.agreed[n] for n, size in sentences.items() if 2 * self.agreed[n] >= size)
        return shared / max(1, sum(sentences.values()))

    def most(self, lines: Sequence[int]) -> int:
        """Return how many words agree in the first or the last of the lines, whichever has more."""
        return max(self.agreed[lines[0]], self.agreed[lines[-1]])


def _passages(old: Sequence[str], new: Sequence[str]) -> tuple[Passage, ...]:
    # Of several longest alignments one is found, and which depends on the order of the texts:
    # so they are aligned in an order of their own, and the answer is the same both ways.
    turned = (len(old), old) > (len(new), new)
    one, other = (new, old) if turned else (old, new)
    blocks = LCSseq.opcodes(one, other).as_matching_blocks()
    return tuple(
        Passage(old=b.b if turned else b.a, new=b.a if turned else b.b, length=b.size)
        for b in blocks
        if b.size >= _SOUND
    )


def _kind(kept: float, taken: float) -> Kind:
    if kept >= _NEARLY_WHOLE:
        return Kind.REISSUE if taken >= _NEARLY_WHOLE else Kind.UPDATED
    return Kind.ABRIDGED if taken >= _NEARLY_WHOLE else Kind.REPRINT


def _swaps(old: _Text, new: _Text, passages: Iterable[Passage]) -> Iterator[Swap]:
    # The ends of the texts agree too. Their beginnings do not: a headline is anyone's to write.
    end = Passage(old=len(old.words), new=len(new.words), length=0)
    old_known, new_known = set(old.words), set(new.words)
    for before, after in pairwise((*passages, end)):
        was = slice(before.old + before.length, after.old)
        now = slice(before.new + before.length, after.new)
        gone, come = old.words[was], new.words[now]
        if not (0 < len(gone) <= _FACT and 0 < len(come) <= _FACT):
            continue
        agreed = min(old.most(old.lines[was]), new.most(new.lines[now]))
        lost, found = set(gone) - new_known, set(come) - old_known
        numbers = _numbers(gone), _numbers(come)
        renumbered = all(numbers) and numbers[0] != numbers[1]
        if renumbered:
            lost, found = lost - numbers[0], found - numbers[1]
        # Words that stand elsewhere in the other text were moved, not swapped. Two count, since a
        # form's blanks mostly take two ("Rowan House", "Dr Iqbal") where an editor changes one.
        weight = 2 * renumbered + min(len(lost), len(found), 2)
        if weight and agreed >= _CONTEXT:
            yield Swap(old=" ".join(gone), new=" ".join(come), weight=weight, number=renumbered)


def _numbers(some: Iterable[str]) -> set[str]:
    return {word for word in some if word.isdecimal()}
