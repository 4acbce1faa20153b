"""Texts that stand twice: within a split, and on both sides of the split between training and development."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from .findings import Finding, Severity, at
from .part import DEV, TRAIN, View
from .shingles import shared_shingles, shingles

# Shorter texts are equal by chance: bylines, datelines, "and so on".
MIN_WORDS = 6
# A whole paragraph of this many words in both splits is no formula.
_LONG = 12
# Two texts are nearly one if they share this part of their runs of three words (Broder, "On the resemblance and
# containment of documents", SEQUENCES 1997), or this part of the shorter one's runs of four.
RESEMBLANCE, CONTAINMENT = 0.6, 0.8
# A common run of words that is no quotation or title; the run by which Brown et al. ("Language Models are
# Few-Shot Learners", 2020, appendix C) look for test data in training data.
RUN = 13


@dataclass(frozen=True, slots=True)
class Unit:
    """A paragraph or a whole document.

    Attributes:
        view: its document.
        start, end: code points of the document's text.
        words: folded.
        whole: whether it is the whole document.
    """

    view: View
    start: int
    end: int
    words: tuple[str, ...] = field(repr=False)
    whole: bool

    @property
    def letters(self) -> str:
        """The words without blanks: the spelling by which texts are equal."""
        return "".join(self.words)

    def annotation(self) -> Counter[tuple[str, str]]:
        """Return how often each (name, label) is annotated in it."""
        pairs = zip(self.view.document.entities, self.view.keys, strict=True)
        return Counter((key, e.label) for e, key in pairs if self.start <= e.start and e.end <= self.end)


def duplicate_findings(views: Sequence[View]) -> Iterator[Finding]:
    """Yield repeated texts, leakage between splits, and copies that are annotated differently.

    Texts are compared by their folded letters, whole documents first, then paragraphs; those of fewer than
    `MIN_WORDS` words are left out. Near copies are found by an index of runs of four words, so that the time
    grows with the number of texts, not with its square.

    Args:
        views: the documents of all splits.
    """
    documents = [unit for view in views if (unit := _document(view))]
    # One copy on either side stands for all of them from here on.
    skipped: set[int] = set()
    repeated: set[int] = set()
    for group in _equal(documents):
        yield from _group(group)
        repeated.update(id(unit.view) for unit in group)
        skipped.update(id(unit.view) for unit in _all_but_first_of_split(group))
    paragraphs = [unit for view in views if id(view) not in skipped for unit in _paragraphs(view)]
    spare: set[int] = set()
    for group in _equal(unit for unit in paragraphs if id(unit.view) not in repeated):
        yield from _group(group)
        spare.update(id(unit) for unit in _all_but_first_of_split(group))
    yield from _near([unit for unit in paragraphs if id(unit) not in spare])


def _document(view: View) -> Unit | None:
    words = tuple(key for line in view.lines for key in line.keys)
    return (
        Unit(view, view.lines[0].start, view.lines[-1].end, words, True) if len(words) >= MIN_WORDS else None
    )


def _paragraphs(view: View) -> Iterator[Unit]:
    for line in view.lines:
        if len(line.keys) >= MIN_WORDS:
            yield Unit(view, line.start, line.end, tuple(line.keys), len(view.lines) == 1)


def _equal(units: Iterable[Unit]) -> list[list[Unit]]:
    """Return the groups of two or more units of the same letters, one of each document."""
    groups: dict[str, dict[int, Unit]] = defaultdict(dict)
    for unit in units:
        # An article may repeat itself: its title below the headline, for instance.
        groups[unit.letters].setdefault(id(unit.view), unit)
    return [list(group.values()) for group in groups.values() if len(group) > 1]


def _all_but_first_of_split(group: Sequence[Unit]) -> list[Unit]:
    seen: set[str] = set()
    rest = []
    for unit in group:
        if unit.view.split in seen:
            rest.append(unit)
        seen.add(unit.view.split)
    return rest


def _group(group: Sequence[Unit]) -> Iterator[Finding]:
    """Yield what is to be said of equal texts."""
    what = "document" if group[0].whole else "paragraph"
    learned = [u for u in group if u.view.split == TRAIN]
    measured = [u for u in group if u.view.split == DEV]
    if learned and measured:
        sure = group[0].whole or len(group[0].words) >= _LONG
        for unit in measured:
            message = f"the {what} is also in the training data, in {_where(learned)}"
            severity = Severity.ERROR if sure else Severity.WARNING
            yield _finding(severity, "leakage", message, unit, "remove it from one side")
    for copies in (learned, measured):
        for unit in copies[1:]:
            message = f"the {what} repeats {_where(copies[:1])} ({len(copies)} copies)"
            severity = Severity.WARNING if group[0].whole else Severity.NOTE
            yield _finding(severity, "duplicate", message, unit, "keep one")
    reference = group[0].annotation()
    for unit in group[1:]:
        difference = _difference(reference, unit.annotation())
        if difference:
            message = f"annotated otherwise than its copy in {_where(group[:1])}: {difference}"
            yield _finding(Severity.WARNING, "annotated_twice", message, unit, "settle on one")


def _difference(left: Counter[tuple[str, str]], right: Counter[tuple[str, str]]) -> str:
    parts = []
    for where, only in (("only there", left - right), ("only here", right - left)):
        shown = ", ".join(f"«{name}» {label}" for name, label in list(only)[:3])
        if only:
            parts.append(f"{where} {shown}{' …' if len(only) > 3 else ''}")
    return "; ".join(parts)


def _near(units: Sequence[Unit]) -> Iterator[Finding]:
    """Yield pairs of nearly equal texts; a text is compared with the one that is most like it."""
    best: dict[int, tuple[tuple[bool, float], int, str]] = {}
    for (a, b), shared in shared_shingles([u.words for u in units]).items():
        left, right = units[a], units[b]
        if left.view is right.view:
            continue  # an article that repeats itself
        crossing = left.view.split != right.view.split
        # The finding is about the development side, or the later text.
        one, other = (a, b) if left.view.split == DEV and crossing else (b, a)
        found = _likeness(units[one], units[other], shared, crossing)
        # A leak counts more than any likeness within a part.
        if found and (one not in best or (crossing, found[0]) > best[one][0]):
            best[one] = ((crossing, found[0]), other, found[1])
    for one, (_, other, reason) in sorted(best.items()):
        unit, like = units[one], units[other]
        crossing = unit.view.split != like.view.split
        kind = "near_leakage" if crossing else "near_duplicate"
        severity = Severity.WARNING if crossing else Severity.NOTE
        side = "the training text" if crossing else "the text"
        message = f"{reason} {side} {_where([like])}"
        yield _finding(severity, kind, message, unit, "remove it from one side" if crossing else "")


def _likeness(unit: Unit, other: Unit, shared: int, crossing: bool) -> tuple[float, str] | None:
    """Return (how alike, the reason in words), or None if the two are different texts."""
    if unit.letters == other.letters:
        return None  # reported as equal
    a, b = shingles(unit.words, 3), shingles(other.words, 3)
    resemblance = len(a & b) / len(a | b)
    if resemblance >= RESEMBLANCE:
        return 1 + resemblance, f"shares {resemblance:.0%} of its runs of three words with"
    if not crossing:
        return None
    contained = shared / len(shingles(unit.words, 4))
    if contained >= CONTAINMENT:
        return contained, f"{contained:.0%} of it stands in"
    if shared >= RUN - 3:
        match = SequenceMatcher(None, unit.words, other.words, autojunk=False).find_longest_match()
        if match.size >= RUN:
            return match.size / len(unit.words), f"shares {match.size} words in a row with"
    return None


def _where(units: Sequence[Unit]) -> str:
    shown = ", ".join(f"{u.view.document.id}" + ("" if u.whole else f" at {u.start}") for u in units[:3])
    return shown + (f" and {len(units) - 3} more" if len(units) > 3 else "")


def _finding(severity: Severity, kind: str, message: str, unit: Unit, suggestion: str) -> Finding:
    document = unit.view.document
    place = (unit.start, unit.end)
    return at(severity, kind, message, document, *place, split=unit.view.split, suggestion=suggestion)
