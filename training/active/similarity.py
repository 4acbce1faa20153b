"""Sentences that may hold a label which the model does not know: by what resembles its examples and description.

Words are compared by the cosine of static vectors (`vectors`), as lexicons are grown from seed words (Fast, Chen and
Bernstein 2016, "Empath"). Measured on 1,133 sentences of the tutorial's training data and the authored dev part, of
which 17% hold a weapon and 13% a sanction, average precision is 0.49 and 0.79 by two example names and the description
together, 0.52 and 0.83 by four names and the description, 0.55 and 0.71 by the description alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...model.errors import ConfigError
from ...model.text import MAX_PROCLITICS, PROCLITICS, readable, words
from .vectors import Floats, PieceVectors, unit

# Words of the longest example that is compared word by word.
_LONGEST = 4
# What is left of a word after a proclitic or an article is compared if it has this many letters.
_SHORTEST_REST = 3
# Words of descriptions that say nothing about the thing described.
_EMPTY = frozenset(
    "أو او و من في على إلى الى عن مع ما هو هي التي الذي الذين مثل أي اي غير كل بعض اسم أسماء نوع أنواع ذات ذو "
    "بين قبل بعد كان لا لم لن هذا هذه ذلك تلك عند أن ان إن".split()
)


@dataclass(frozen=True, slots=True)
class Match:
    """The part of a text that most resembles a label's examples.

    Attributes:
        score: cosine, 1.0 for an example itself where nothing describes the label, 0.0 if nothing compares.
        text: the words that were found.
        example: what they resemble.
    """

    score: float
    text: str
    example: str


class LabelMatcher:
    """Finds what resembles the examples and the description of one label.

    Args:
        label: its name, for messages.
        vectors: of words.
        examples: names that the label is for, صاروخ or صواريخ كروز; of one to four words, longer ones are cut.
        description: what the label is for, in Arabic. Its words count together, as each alone may mean anything.

    Raises:
        ConfigError: nothing of all that has a vector.
    """

    def __init__(
        self, label: str, vectors: PieceVectors, *, examples: Iterable[str] = (), description: str = ""
    ) -> None:
        self.label, self._vectors = label, vectors
        self._rows: dict[int, tuple[list[str], Floats]] = {}
        for name in examples:
            parts = [readable(name[s:e]) for s, e in words(name)][:_LONGEST]
            if (row := self._mean(parts)).any():
                names, rows = self._rows.get(len(parts), ([], np.zeros((0, vectors.size), dtype=np.float32)))
                self._rows[len(parts)] = ([*names, name], np.concatenate([rows, row[None]]))
        told = [readable(description[s:e]) for s, e in words(description)]
        # كالعقوبات is a rare word, العقوبات a frequent one whose vector means something.
        plain = [min(readings(w), key=vectors.pieces) for w in told if w not in _EMPTY and len(w) > 1]
        self._told = self._mean(plain)
        if not self._rows and not self._told.any():
            raise ConfigError(
                f"there is nothing to look for {label!r} by, which the model does not know; write --example "
                f"'{label}=صاروخ,دبابة' with names of that kind, or give it a description under 'ar' in --schema"
            )

    def best(self, text: str) -> Match:
        """Return the words of a text that most resemble the label.

        Where there are examples and a description, the score is the mean of both likenesses.
        """
        spans = words(text)
        matches = []
        if self._rows:
            matches.append(self._like_example(text, spans))
        if self._told.any():
            matches.append(self._like_description(text, spans))
        score = sum(match.score for match in matches) / len(matches)
        return replace(matches[0], score=round(score, 4))

    def _like_example(self, text: str, spans: Sequence[tuple[int, int]]) -> Match:
        best = Match(0.0, "", "")
        for length, (names, rows) in self._rows.items():
            places, found = self._windows(text, spans, length)
            if not places:
                continue
            scores = found @ rows.T
            place, row = divmod(int(scores.argmax()), len(names))
            if scores[place, row] > best.score:
                start, end = places[place]
                best = Match(float(scores[place, row]), text[start:end], names[row])
        return best

    def _like_description(self, text: str, spans: Sequence[tuple[int, int]]) -> Match:
        """Return the best word with the mean score of the two best, which tells more than one."""
        places, found = self._windows(text, spans, 1)
        highest: dict[tuple[int, int], float] = {}
        for place, score in zip(places, (found @ self._told).tolist(), strict=True):
            highest[place] = max(score, highest.get(place, -1.0))
        best = sorted(highest, key=lambda place: -highest[place])[:2]
        if not best or highest[best[0]] <= 0:
            return Match(0.0, "", "")
        score = sum(highest[place] for place in best) / len(best)
        return Match(max(score, 0.0), text[slice(*best[0])], "the description")

    def _mean(self, parts: list[str]) -> Floats:
        return (
            unit(self._vectors.words(parts).mean(axis=0))
            if parts
            else np.zeros(self._vectors.size, np.float32)
        )

    def _windows(
        self, text: str, spans: Sequence[tuple[int, int]], length: int
    ) -> tuple[list[tuple[int, int]], Floats]:
        """Return the runs of `length` words, single ones in all readings, and a unit vector for each."""
        if len(spans) < length:
            return [], np.zeros((0, self._vectors.size), dtype=np.float32)
        if length == 1:
            read = [(span, form) for span in spans for form in readings(readable(text[slice(*span)]))]
            return [span for span, _ in read], self._vectors.words([form for _, form in read])
        single = self._vectors.words([readable(text[s:e]) for s, e in spans])
        places = [(spans[n][0], spans[n + length - 1][1]) for n in range(len(spans) - length + 1)]
        run = np.stack([single[n : n + length].mean(axis=0) for n in range(len(places))])
        return places, unit(run)


def readings(word: str) -> list[str]:
    """Return a word and what is left without proclitics and article: بالصاروخ, الصاروخ, صاروخ."""
    forms = [word]
    for count in range(1, MAX_PROCLITICS + 1):
        if len(word) - count < _SHORTEST_REST or word[count - 1] not in PROCLITICS:
            break
        forms.append(word[count:])
    if word.startswith("لل"):  # ل + الصاروخ is written للصاروخ
        forms.append("ا" + word[1:])
    bare = [form[2:] for form in forms if form.startswith("ال") and len(form) - 2 >= _SHORTEST_REST]
    return list(dict.fromkeys(forms + bare))
