"""Features of words for a linear-chain CRF: folded form, affixes, shape, stripped forms, neighbours, bigrams."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from ...model.folding import fold
from ...model.text import MAX_PROCLITICS, PROCLITICS

AFFIX = 4
# What stands beyond either end of a paragraph.
_BEFORE, _AFTER = "<s>", "</s>"
_ARTICLE = "ال"


def word_features(tokens: Sequence[str]) -> list[list[str]]:
    """Return the features of each word of a paragraph as `name=value` strings.

    The windows of two words to either side and the affixes up to four letters are those of feature-based
    NER since Ratinov and Roth (2009, "Design Challenges and Misconceptions in Named Entity Recognition",
    CoNLL); leading clitics and stripped forms are what Arabic adds (Benajiba, Diab and Rosso
    2008, "Arabic Named Entity Recognition using Optimized Feature Sets", EMNLP).

    Args:
        tokens: the words as they are written.
    """
    forms = [_BEFORE, _BEFORE, *(_form(t) for t in tokens), _AFTER, _AFTER]
    shapes = ["", "", *(shape(t) for t in tokens), "", ""]
    rows = []
    for n, token in enumerate(tokens):
        at = n + 2
        row = ["bias", *_own(token)]
        for offset in (-2, -1, 1, 2):
            row.append(f"w{offset:+d}={forms[at + offset]}")
            row.append(f"shape{offset:+d}={shapes[at + offset]}")
        row += [f"-1:{f}" for f in _short(tokens[n - 1])] if n else []
        row += [f"+1:{f}" for f in _short(tokens[n + 1])] if n + 1 < len(tokens) else []
        row.append(f"w-1|w={forms[at - 1]}|{forms[at]}")
        row.append(f"w|w+1={forms[at]}|{forms[at + 1]}")
        row.append(f"w-2|w-1={forms[at - 2]}|{forms[at - 1]}")
        row.append(f"shapes={shapes[at - 1]}|{shapes[at]}|{shapes[at + 1]}")
        rows.append(row)
    return rows


def shape(token: str) -> str:
    """Return the kind of a word: `ع` Arabic letters, `X`/`x` Latin, digits as many `d`, or the symbol itself."""
    kinds: list[str] = []
    for char in unicodedata.normalize("NFKC", token):
        kind = _kind(char)
        # Runs of letters collapse; the number of digits tells a year from a count.
        if kind and (kind == "d" or kinds[-1:] != [kind]):
            kinds.append(kind)
    return "".join(kinds[:6])


def stripped(form: str) -> list[str]:
    """Return the forms left after one, two and three leading proclitic letters, at least two letters long.

    All of them are features, and the CRF weighs them: which letters are proclitics is not known here. After
    ل the alef of the article is restored (للعراق: العراق).
    """
    rests: list[str] = []
    for count in range(1, MAX_PROCLITICS + 1):
        rest = form[count:]
        if form[count - 1 : count] not in PROCLITICS or len(rest) < 2:
            break
        rests.append("ا" + rest if form[count - 1] == "ل" and rest[0] == "ل" else rest)
    return rests


def _kind(char: str) -> str:
    if char.isdigit():
        return "d"
    if char.isalpha():
        if "\u0600" <= char <= "\u08ff":
            return "ع"
        return "X" if char.isupper() else "x"
    # Marks, kashida's kin and invisibles say nothing about the kind of a word.
    return "" if unicodedata.category(char)[0] in "MC" else char


def _form(token: str) -> str:
    """Return the folded word, with numbers of like length made equal; never empty."""
    form = fold(token) or token
    return "0" * len(form) if form.isdigit() and len(form) > 2 else form


@lru_cache(maxsize=65_536)
def _own(token: str) -> tuple[str, ...]:
    form = _form(token)
    longest = min(AFFIX, len(form) - 1)
    rests = stripped(form)
    bare = (rests[0] if rests else form).removeprefix(_ARTICLE)
    return (
        f"w={form}",
        *(f"p{k}={form[:k]}" for k in range(1, longest + 1)),
        *(f"s{k}={form[-k:]}" for k in range(1, longest + 1)),
        f"shape={shape(token)}",
        f"length={min(len(form), 9)}",
        *(f"rest={r}" for r in (form, *rests)),
        *(f"bare={b}" for b in {form.removeprefix(_ARTICLE), bare}),
        f"article={form.startswith(_ARTICLE) or any(r.startswith(_ARTICLE) for r in rests)}",
    )


@lru_cache(maxsize=65_536)
def _short(token: str) -> tuple[str, ...]:
    """Return the features of a neighbour."""
    form = _form(token)
    return (f"p2={form[:2]}", f"p3={form[:3]}", f"s2={form[-2:]}", *(f"rest={r}" for r in stripped(form)))
