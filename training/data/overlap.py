"""Which sentences of one corpus are also in another, whatever the tokenisation and spelling of either."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from ...model.folding import fold

# Letters a run is looked up by before it is compared whole; Arabic words have about five.
_ANCHOR = 12
_PROCLITICS = "وفبلك"
# Spellings of one word in corpora that were normalised, or had their clitics split, in different ways.
_SPELLING = str.maketrans({"ة": "ه", "ؤ": "و", "ئ": "ي", "ء": None})


def letters_only(text: str) -> str:
    """Return the letters and digits of a text, folded; blanks, signs, hamza and clitic spelling are lost.

    لالاتحاد and للاتحاد, or ل الاتحاد with a blank, give the same letters.
    """
    letters = "".join(c for c in fold(text).translate(_SPELLING) if c.isalnum())
    return re.sub("لال(?=.)", "لل", letters)


def overlapping(sentences: Sequence[str], others: Iterable[str], *, run: int = 8) -> set[int]:
    """Return the indices of sentences that are in another corpus, whole or in part.

    A sentence is in it if `run` of its words in a row occur there in one sentence, or if it equals a sentence
    there; both are compared by `letters_only`, so that blanks within and between words do not count.

    Args:
        sentences: texts that are looked for; words are what blanks separate, signs alone not counted.
        others: sentences of the other corpus.
        run: number of words.
    """
    theirs = list(dict.fromkeys(letters for text in others if (letters := letters_only(text))))
    whole = set(theirs)
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, letters in enumerate(theirs):
        for at in range(len(letters) - _ANCHOR + 1):
            places[letters[at : at + _ANCHOR]].append((number, at))
    found: set[int] = set()
    for index, text in enumerate(sentences):
        words = [letters for word in text.split() if (letters := letters_only(word))]
        if letters_only(text) in whole or any(
            _occurs(window, theirs, places) for window in _windows(words, run)
        ):
            found.add(index)
    return found


def _windows(words: Sequence[str], run: int) -> Iterable[str]:
    for at in range(len(words) - run + 1):
        # Joined first: a split ل and the article of the next word only then look like their joined form.
        yield re.sub("لال(?=.)", "لل", "".join(words[at : at + run]))


def _occurs(window: str, theirs: Sequence[str], places: dict[str, list[tuple[int, int]]]) -> bool:
    if len(window) <= _ANCHOR:
        return any(window in letters for letters in theirs)
    # The run may stand after a proclitic here and without it there.
    runs = (window, window[1:]) if window[0] in _PROCLITICS else (window,)
    return any(
        theirs[number].startswith(part, at) for part in runs for number, at in places.get(part[:_ANCHOR], ())
    )
