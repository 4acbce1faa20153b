"""Names that are annotated nearly everywhere and left out in places."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....model.text import letter_offset
from .evidence import Evidence
from .findings import Finding, Severity, at
from .part import Line, View, has_letters, without_proclitics

# A name of several words is hardly anything else by chance; one word may be a common noun or a part of a name.
_PHRASE, _WORD = 2, 6  # annotated mentions that are needed
_PHRASE_SHARE, _WORD_SHARE = 0.6, 0.92  # of all free-standing occurrences
_STRONG = 10  # annotated places for each one left out, from which on a phrase is a warning
_LONG = 4  # letters from which a single word is looked for after a proclitic too
# Roles are names only in definite use: one word says nothing, a phrase little.
_ROLES, _ROLE_SHARE = frozenset({"OCC"}), 0.8
# Amounts and dates depend on the words around them, whatever they look like.
_LOOSE = frozenset({"CARDINAL", "ORDINAL", "PERCENT", "QUANTITY", "UNIT", "MONEY", "CURR", "DATE", "TIME"})


@dataclass(frozen=True, slots=True)
class _Place:
    view: View
    start: int
    end: int
    name: tuple[str, ...]


def unannotated_names(views: Sequence[View], evidence: Evidence) -> Iterator[Finding]:
    """Yield occurrences of an annotated name where nothing is annotated.

    Occurrences within or across another entity do not count, nor do documents without any annotation, nor names
    that are annotated in fewer than `_PHRASE_SHARE` (several words) or `_WORD_SHARE` (one word) of the places
    where they stand on their own. The longest name at a place is the one that is meant.

    Args:
        views: the documents of all splits.
        evidence: names of all the data, for telling proclitics from first letters.
    """
    annotated: Counter[tuple[str, ...]] = Counter()
    labels: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for view in views:
        for entity, key, nested in zip(view.document.entities, view.keys, view.nested, strict=True):
            name = tuple(key.split())
            if name and has_letters(key) and entity.label not in _LOOSE:
                annotated[name] += not nested
                labels[name][entity.label] += 1
    candidates = {name for name, n in annotated.items() if n >= (_PHRASE if len(name) > 1 else _WORD)}
    places = list(_occurrences(views, candidates, evidence))
    missing = Counter(place.name for place in places)
    for place in places:
        n, left = annotated[place.name], missing[place.name]
        label = labels[place.name].most_common(1)[0][0]
        phrase, role = len(place.name) > 1, label in _ROLES
        share = _WORD_SHARE if not phrase else _ROLE_SHARE if role else _PHRASE_SHARE
        if n < share * (n + left) or (role and not phrase):
            continue
        yield at(
            Severity.WARNING if phrase and n >= _STRONG * left else Severity.NOTE,
            "unannotated_name",
            f"not annotated here, but {label} in {n} of {n + left} places",
            place.view.document,
            place.start,
            place.end,
            split=place.view.split,
            label=label,
            suggestion=f"{label}, if the same is meant",
        )


def _occurrences(
    views: Sequence[View], candidates: set[tuple[str, ...]], evidence: Evidence
) -> Iterator[_Place]:
    """Yield places where a candidate stands and no entity is annotated."""
    by_first: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for name in sorted(candidates, key=len, reverse=True):
        by_first[name[0]].append(name)
    forms: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
    for view in views:
        if not view.document.entities:
            continue
        for line in view.lines:
            at_word = 0
            while at_word < len(line.keys):
                key = line.keys[at_word]
                if key not in forms:
                    forms[key] = _beginnings(key, by_first, evidence)
                outside, found = _longest(line, at_word, forms[key])
                if found and not (len(found) == 1 and _adjective(line, at_word)):
                    word_start, word_end = line.words[at_word]
                    start = letter_offset(view.document.text, word_start, word_end, outside)
                    end = line.words[at_word + len(found) - 1][1]
                    if not view.covered.touches(word_start, end):
                        yield _Place(view, start, end, found)
                at_word += len(found) or 1


def _beginnings(
    word: str, by_first: dict[str, list[tuple[str, ...]]], evidence: Evidence
) -> list[tuple[int, tuple[str, ...]]]:
    """Return the names that a word may begin, each with the number of proclitic letters before it."""
    found = [(0, name) for name in by_first.get(word, ())]
    if not evidence.is_whole(word):
        for rest in without_proclitics(word):
            # The name of للعراق begins at its second lam.
            outside = len(word) - len(rest) + (not word.endswith(rest))
            names = by_first.get(rest, ())
            found += [(outside, name) for name in names if len(name) > 1 or len(rest) >= _LONG]
    return found


def _longest(
    line: Line, at_word: int, names: Sequence[tuple[int, tuple[str, ...]]]
) -> tuple[int, tuple[str, ...]]:
    """Return the longest of the names that stands at a word; the empty one if none does."""
    best: tuple[int, tuple[str, ...]] = (0, ())
    for outside, name in names:
        if len(name) > len(best[1]) and tuple(line.keys[at_word + 1 : at_word + len(name)]) == name[1:]:
            best = (outside, name)
    return best


def _adjective(line: Line, at_word: int) -> bool:
    """Whether a definite word follows a definite word: الجنسية السعودية is no place."""
    if at_word == 0 or not line.keys[at_word].startswith("ال"):
        return False
    before = line.keys[at_word - 1]
    return any(word.startswith("ال") for word in (before, *without_proclitics(before)))
