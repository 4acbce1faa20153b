"""Proclitics that were taken into a span, told from names that begin with the same letters by evidence."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....model.document import Entity
from ....model.folding import fold
from ....model.text import PROCLITICS, letter_offset, letters_before, readable, word_bounds
from .evidence import Evidence
from .findings import Finding, Severity, at
from .part import View, folded, without_proclitics

# A word of one or two letters after its article is met by chance (والي: و + الي).
_ROOT = 3
# Of a single word that loses a single letter, so many more mentions must stand without the letter than with it.
_MARGIN = 3
# From so many, and such a share of all mentions, it is no slip of an annotator.
_CONVENTION, _CONVENTION_SHARE = 10, 0.04
_TWO_LAMS = re.compile("[وف]?لل")
# و، ب or ل (also وب، فل, …) and an alef that carries hamza or madda: وأردبيل. كأس is a word, and so is بأس.
_HAMZA = re.compile("(?!بأس)([وف]?[بل]|و)[أإآ]")

# What looks like an article is a preposition or a particle with its pronoun: واليها (its governor) is no و + إليها.
_NO_ARTICLE = frozenset(
    map(fold, "إليه إليها إليهم إليهما إليكم إليهن إلينا إليك الآن التي الذي الذين اللذين".split())
)


def clitic_findings(view: View, evidence: Evidence) -> Iterator[Finding]:
    """Yield mentions that begin with a proclitic: what remains without it is a name with the same label elsewhere.

    A warning needs that name, or its first word at the beginning of names, counted in the data and in trusted
    texts; or an alef with hamza after the letter. A note needs, for beginnings such as وال، بال and لل, the
    remainder as a word of the texts. A word that is known as a whole raises nothing (after a preposition or a
    proclitic that was left outside, within a person's name, in trusted texts, or as a given name).

    Args:
        view: the document.
        evidence: names and words of all the data.
    """
    here = {(e.label, key) for e, key in zip(view.document.entities, view.keys, strict=True)}
    for entity, key in zip(view.document.entities, view.keys, strict=True):
        first, _, rest = key.partition(" ")
        if first[:1] not in PROCLITICS or len(first) < 3 or evidence.is_whole(first):
            continue
        text = view.document.text
        word_start, word_end = word_bounds(text, entity.start, entity.start + 1)
        # Only a span that begins a word can hold its proclitic. The letters are counted, so that a ligature
        # (ﻻ), which is folded into two, cannot shift the suggested place.
        if word_start != entity.start or folded(text[word_start:word_end]) != first:
            continue
        if letters_before(text, word_start, word_end) != len(first):
            continue
        spelled = readable(text[word_start:word_end])
        found = _judge((entity.label, first, rest), spelled, evidence, here)
        if found:
            yield _finding(view, entity, found, first, word_end)


def clitic_convention(found: Sequence[Finding], mentions: int, split: str) -> Iterator[Finding]:
    """Yield one warning where so many mentions hold their proclitic that the data seems to mean it.

    Args:
        found: findings of `clitic_findings` in one split.
        mentions: how many mentions the split has.
        split: its name.
    """
    n = sum(f.severity is Severity.WARNING for f in found)
    if n >= _CONVENTION and n >= _CONVENTION_SHARE * mentions:
        message = f"{n:,} of {mentions:,} mentions begin with a proclitic: the data seems to take whole words"
        advice = "a corpus of that convention is described by a file in configs/data (proclitics: inside)"
        yield Finding(Severity.WARNING, "clitic", message, split=split, suggestion=advice)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why a mention seems to begin with a proclitic, and its first word without it."""

    severity: Severity
    reason: str
    word: str


def _judge(
    mention: tuple[str, str, str], spelled: str, evidence: Evidence, here: set[tuple[str, str]]
) -> _Doubt | None:
    """Return the strongest doubt about a mention, (label, first word, other words), or None if there is none."""
    _, first, rest = mention
    words = [w for w in without_proclitics(first) if len(w) >= 3 or (len(w) == 2 and rest)]
    doubts = [
        *filter(None, (_named(mention, word, evidence, here) for word in words)),
        *filter(None, (_begun(mention, word, evidence) for word in words)),
        *filter(None, (_spoken(first, word, evidence) for word in words)),
    ]
    if _HAMZA.match(spelled) and len(first) >= 2 + _ROOT:
        reason = "an alef with hamza hardly stands second in a word"
        doubts.append(_Doubt(Severity.WARNING, reason, first[len(_HAMZA.match(spelled)[1]) :]))  # type: ignore[index]
    warnings = [doubt for doubt in doubts if doubt.severity is Severity.WARNING]
    return next(iter([*warnings, *doubts]), None)


def _named(
    mention: tuple[str, str, str], word: str, evidence: Evidence, here: set[tuple[str, str]]
) -> _Doubt | None:
    """Doubt a mention because its name without the proclitic is annotated with the same label."""
    label, first, rest = mention
    names = evidence.names[label]
    name = f"{word} {rest}".strip()
    near = (label, name) in here
    enough = near or names[name] >= max(2, _MARGIN * names[first])
    # No word of Arabic begins with لل, and few with وال or بال.
    plain = _has_article(word) or _TWO_LAMS.match(first)
    if not names[name] or not (rest or plain or enough):
        return None
    where = "in this document too" if near else "elsewhere"
    return _Doubt(Severity.WARNING, f"«{name}» is {label} {where} ({_times(names[name])})", word)


def _begun(mention: tuple[str, str, str], word: str, evidence: Evidence) -> _Doubt | None:
    """Doubt a mention because names with its label begin with its first word, but without the proclitic."""
    label, first, rest = mention
    begun = evidence.firsts[label][word]
    if len(word) < 3 or begun < _begins(first) * evidence.firsts[label][first]:
        return None
    severity = Severity.WARNING if rest else Severity.NOTE
    return _Doubt(severity, f"«{word}» begins {label} {_times(begun)}", word)


def _spoken(first: str, word: str, evidence: Evidence) -> _Doubt | None:
    """Doubt a mention because the texts have its first word with the article, but without the proclitic."""
    times = evidence.words[word]
    if not _has_article(word) or times < 2 or times <= evidence.words[first]:
        return None
    return _Doubt(Severity.NOTE, f"«{word}» stands in the texts {_times(times)}", word)


def _has_article(word: str) -> bool:
    return word.startswith("ال") and len(word) >= 2 + _ROOT and word not in _NO_ARTICLE


def _begins(first: str) -> int:
    """Return how many times more often a name must begin without the proclitic; ك and ف are rare before names."""
    return _MARGIN if first[0] in "ولب" else 2 * _MARGIN


def _finding(view: View, entity: Entity, doubt: _Doubt, first: str, word_end: int) -> Finding:
    text, word = view.document.text, doubt.word
    # للعراق holds العراق without its alef: the span then begins at the second lam.
    kept = len(word) if first.endswith(word) else len(word) - 1
    start = letter_offset(text, entity.start, word_end, len(first) - kept)
    outside = text[entity.start : start]
    return at(
        doubt.severity,
        "clitic",
        f"begins with the proclitic «{outside}»: {doubt.reason}",
        view.document,
        entity.start,
        entity.end,
        split=view.split,
        label=entity.label,
        suggestion=f"«{text[start : entity.end]}», from {start} to {entity.end}",
    )


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"
