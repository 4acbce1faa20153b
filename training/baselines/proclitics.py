"""The proclitic rule of the baselines: letters come off a word only where training data has shown it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ...model.document import Document
from ...model.errors import DataError
from ...model.folding import fold
from ...model.text import MAX_PROCLITICS, PROCLITICS, letter_offset, letters_before
from ...model.text import word_bounds as _word_bounds


class ProcliticLexicon:
    """Decides how many leading letters of an entity's first word stand outside the entity.

    Tags say which word an entity begins with, not where in it. The rule is a look-up, which is less than
    what the joint model does: a name that no training entity begins with keeps its proclitic.

    1. A word that began an entity in the training data is cut as it was cut there most often.
    2. Otherwise و ف ب ل ك, up to three, are cut off if the rest began an entity in the training data; the
       fewest letters that fit. After ل the rest may have lost the alef of its article (للعراق, ل + العراق).
    3. Otherwise nothing is cut.

    Args:
        words: letters outside, by folded word.
        starts: folded rests of words that entities began with.
    """

    def __init__(self, words: Mapping[str, int] | None = None, starts: Collection[str] = ()) -> None:
        self._words = dict(words or {})
        self._starts = frozenset(starts)

    @classmethod
    def learn(cls, documents: Iterable[Document]) -> "ProcliticLexicon":
        """Return the lexicon of gold documents; inner entities count too."""
        seen: dict[str, Counter[int]] = defaultdict(Counter)
        starts: set[str] = set()
        for document in documents:
            text = document.text
            for e in document.entities:
                # Looked at from its start alone, an entity of many words costs no more than one of one word.
                lo, hi = _word_bounds(text, e.start, e.start + 1)
                letters = letters_before(text, lo, e.start)
                if letters <= MAX_PROCLITICS and letter_offset(text, lo, hi, letters) == e.start:
                    seen[fold(text[lo:hi])][letters] += 1
                    starts.add(fold(text[e.start : hi]))
        # Of equally frequent cuts the smaller, so that the lexicon does not depend on the documents' order.
        words = {word: min(c, key=lambda n: (-c[n], n)) for word, c in seen.items()}
        return cls(words, starts)

    def letters(self, text: str, start: int, end: int) -> int:
        """Return how many leading letters of the word [start, end) are outside an entity that begins there."""
        known = self._words.get(fold(text[start:end]))
        if known is not None:
            return known if letter_offset(text, start, end, known) < end else 0
        before = start
        for count in range(1, MAX_PROCLITICS + 1):
            at = letter_offset(text, start, end, count)
            letter, rest = fold(text[before:at]), fold(text[at:end])
            if at >= end or letter not in PROCLITICS:
                break
            if rest in self._starts or (letter == "ل" and "ا" + rest in self._starts and rest[:1] == "ل"):
                return count
            before = at
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads back."""
        return {"words": dict(sorted(self._words.items())), "starts": sorted(self._starts)}

    @classmethod
    def from_dict(cls, data: Any) -> "ProcliticLexicon":
        """Rebuild a lexicon; anything but what `to_dict` gives raises DataError."""
        try:
            words = {str(k): int(v) for k, v in data["words"].items()}
            starts = [str(s) for s in data["starts"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"not a proclitic lexicon: {error!r}", accepted="the layout of ProcliticLexicon.to_dict()"
            ) from error
        if any(not 0 <= n <= MAX_PROCLITICS for n in words.values()):
            raise DataError("a proclitic of a wrong length", accepted=f"0 to {MAX_PROCLITICS} letters")
        return cls(words, starts)

    def __len__(self) -> int:
        return len(self._words)
