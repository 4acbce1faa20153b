"""Chunk tags: from IOB1, IOB2, BIOES and BILOU to spans of words and back, flat or nested, faults named.

IOB1 is the scheme of Ramshaw and Marcus 1995 ("Text Chunking using Transformation-Based Learning", section
4), IOB2 and the naming of both that of Tjong Kim Sang and Veenstra 1999 ("Representing Text Chunks", EACL,
section 2). Nested tags are written as in Wojood (Jarrar et al. 2022, LREC, section 3): one tag for every
span that covers the word, outermost first.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...model.errors import DataError

OUTSIDE = "O"
AUTO = "auto"
SCHEMES = (AUTO, "iob2", "iob1", "bioes", "bilou")
# A label that is spelled like a known one is taken for damage only if it is rare; a frequent one is a label.
RARE = 3

Cell = tuple[str, ...]

_TAG = re.compile(r"([BIESLU])-(\S+)")
_PREFIXES = {"iob2": "BI", "iob1": "BI", "bioes": "BIES", "bilou": "BILU"}
_TO_BIOES = {"L": "E", "U": "S"}
_DAMAGED_OUTSIDE = re.compile(r"[OoIB0-]+")


@dataclass(frozen=True, slots=True)
class WordSpan:
    """An entity as words of its sentence.

    Attributes:
        first, last: indices of its first and last word, both inside it.
        label: the tag without its prefix.
    """

    first: int
    last: int
    label: str


@dataclass(frozen=True, slots=True)
class TagFault:
    """A tag that cannot stand where it stands.

    Attributes:
        word: index of the word in its sentence.
        found: the tag.
        read_as: the tag it is read as where faults are repaired.
    """

    word: int
    found: str
    read_as: str


def detect_scheme(sentences: Iterable[Sequence[Cell]]) -> str:
    """Return the scheme that tags are most likely written in.

    E or S means BIOES, L or U means BILOU. Otherwise the starts of entities decide: IOB1 if I begins more of
    them than B does, else IOB2.
    """
    prefixes: Counter[str] = Counter()
    loose = 0
    for cells in sentences:
        before: set[str] = set()
        for cell in cells:
            parts = [t.partition("-") for t in cell if t != OUTSIDE]
            prefixes.update(prefix for prefix, _, _ in parts)
            loose += sum(prefix == "I" and label not in before for prefix, _, label in parts)
            before = {label for _, _, label in parts}
    if prefixes["E"] or prefixes["S"]:
        return "bioes"
    if prefixes["L"] or prefixes["U"]:
        return "bilou"
    return "iob1" if loose > prefixes["B"] else "iob2"


def decode(cells: Sequence[Cell], scheme: str = "iob2") -> tuple[list[WordSpan], list[TagFault]]:
    """Return the spans of one sentence, and the tags that break the scheme with how they were read.

    An I that continues nothing begins an entity. In nested cells an I continues the outermost open span of
    its label that no tag before it in the cell continues; an inner span therefore ends before an outer one
    of the same label.

    Args:
        cells: the tags of each word, outermost first; `O` or one tag where annotation is flat.
        scheme: a name of `SCHEMES` except `auto`. Only IOB2 has more than one tag a word.

    Returns:
        Spans in the order of their beginnings, outer before inner; and the faults in text order.
    """
    if scheme in ("bioes", "bilou"):
        return _decode_bioes([_single(cell) for cell in cells])
    spans: list[WordSpan] = []
    faults: list[TagFault] = []
    open_: list[int] = []
    for n, cell in enumerate(cells):
        still: list[int] = []
        for tag in cell:
            if tag == OUTSIDE:
                continue
            prefix, _, label = tag.partition("-")
            at = next((i for i in open_ if i not in still and spans[i].label == label), None)
            if prefix == "I" and at is not None:
                spans[at] = WordSpan(spans[at].first, n, label)
                still.append(at)
                continue
            if prefix == "I" and scheme != "iob1":
                faults.append(TagFault(n, tag, f"B-{label}"))
            still.append(len(spans))
            spans.append(WordSpan(n, n, label))
        open_ = still
    return spans, faults


def encode(spans: Iterable[WordSpan], length: int, *, nested: bool = False) -> list[Cell]:
    """Return the IOB2 tags of spans, the inverse of `decode`.

    Args:
        spans: entities of one sentence, in any order.
        length: number of words.
        nested: whether a word may have several tags.

    Raises:
        DataError: a span outside the sentence, spans that cross, or overlapping spans where `nested` is off.
    """
    cells: list[list[str]] = [[] for _ in range(length)]
    open_: list[WordSpan] = []
    for span in sorted(spans, key=lambda s: (s.first, -s.last)):
        if not 0 <= span.first <= span.last < length:
            raise DataError(
                f"a span of words {span.first} to {span.last}", accepted=f"words 0 to {length - 1}"
            )
        open_ = [o for o in open_ if o.last >= span.first]
        if open_ and not nested:
            raise DataError(
                f"{span.label} at word {span.first} lies in {open_[-1].label}",
                accepted="flat spans, or nested=True",
            )
        if any(o.last < span.last for o in open_):
            raise DataError(
                f"{span.label} at words {span.first} to {span.last} crosses another span",
                accepted="spans that are nested or apart",
            )
        open_.append(span)
        for n in range(span.first, span.last + 1):
            cells[n].append(f"{'B' if n == span.first else 'I'}-{span.label}")
    return [tuple(cell) or (OUTSIDE,) for cell in cells]


def mend_tags(
    counts: Mapping[str, int], known: Iterable[str], scheme: str
) -> tuple[dict[str, str], list[str]]:
    """Return readings of damaged tags, and the labels that are unknown.

    A tag made of nothing but O, I, B, 0 and hyphens is `O`. A label counts as damaged where it is rare
    (`RARE`): then it stands for the known label that it equals without punctuation or, failing that, for
    the only known label one letter away; with several of them the tag is read as `O`.

    Args:
        counts: how often each tag occurs in the corpus.
        known: labels of the corpus.
        scheme: a name of `SCHEMES`.

    Returns:
        (damaged tag to its reading, unknown labels in the order of `counts`).
    """
    labels = sorted(set(known))
    plain = {_letters(label): label for label in labels}
    prefixes = _PREFIXES.get(scheme, "BIESLU")
    readings: dict[str, str] = {}
    unknown: list[str] = []
    frequent: Counter[str] = Counter()
    for tag, n in counts.items():
        frequent[tag.partition("-")[2]] += n
    for tag in counts:
        match = _TAG.fullmatch(tag)
        if tag == OUTSIDE or (match and match[1] in prefixes and match[2] in labels):
            continue
        if _DAMAGED_OUTSIDE.fullmatch(tag):
            readings[tag] = OUTSIDE
        elif not match or match[1] not in prefixes:
            unknown.append(tag)
        elif frequent[match[2]] > RARE:
            unknown.append(match[2])
        elif _letters(match[2]) in plain:
            readings[tag] = f"{match[1]}-{plain[_letters(match[2])]}"
        else:
            near = [label for label in labels if _one_edit(match[2], label)]
            if len(near) == 1:
                readings[tag] = f"{match[1]}-{near[0]}"
            elif near:
                readings[tag] = OUTSIDE
            else:
                unknown.append(match[2])
    return readings, list(dict.fromkeys(unknown))


def _decode_bioes(tags: Sequence[str]) -> tuple[list[WordSpan], list[TagFault]]:
    spans: list[WordSpan] = []
    faults: list[TagFault] = []
    open_ = ""
    for n, tag in enumerate((*tags, OUTSIDE)):
        prefix, _, label = tag.partition("-")
        prefix = _TO_BIOES.get(prefix, prefix)
        continues = prefix in ("I", "E") and open_ == label
        if open_ and not continues:
            # The entity was never closed: its last word should have been an E, or an S if it has but one.
            last = spans[-1]
            faults.append(
                TagFault(n - 1, tags[n - 1], f"{'S' if last.first == last.last else 'E'}-{last.label}")
            )
        if continues:
            spans[-1] = WordSpan(spans[-1].first, n, label)
        elif tag != OUTSIDE:
            if prefix in ("I", "E"):
                faults.append(TagFault(n, tag, f"{'B' if prefix == 'I' else 'S'}-{label}"))
            spans.append(WordSpan(n, n, label))
        open_ = label if prefix in ("B", "I") else ""
    return spans, faults


def _single(cell: Cell) -> str:
    if len(cell) > 1:
        raise DataError(f"{len(cell)} tags on one word: {' '.join(cell)}", accepted="one tag a word, or IOB2")
    return cell[0] if cell else OUTSIDE


def _letters(label: str) -> str:
    return "".join(c for c in label if c.isalnum())


def _one_edit(a: str, b: str) -> bool:
    """Whether one letter put in, left out or replaced turns `a` into `b`."""
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    if len(a) > len(b):
        a, b = b, a
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    return a[start:] == b[start + 1 :] or (len(a) == len(b) and a[start + 1 :] == b[start + 1 :])
