"""Joins tokens whose clitics were split off back to words as they are written, offsets kept.

Made by looking at NewsFANE and WikiFANE (Alotaibi and Lee 2014, COLING): و ف ب ل ك س stand alone before the
word, ه ها هم هما هن نا ي ني ك كم ن ت behind it; ة and ى before a suffix were put back to the form of the word's
end (عاصمة ها for عاصمتها, مستوى ه for مستواه); ل before the article is mostly not split (للحكومة) and
sometimes half-way (لالاتحاد). A splitter's mistakes are there too (ا تفاق, در هم, ف يرجن); the same
rules mend most of them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PROCLITICS = frozenset("وفبلكس")
ENCLITICS = frozenset("ه ها هم هما هن نا ي ني ك كم ن ت ة ى".split())
# Suffixes that are also words of their own: after a name, the article or another suffix they are pronouns.
_PRONOUNS = frozenset(("هم", "هما", "هن"))
# Behind them كم is a unit, ه the Hijri year, ك a letter: none is a suffix of a number or a sign.
_ARABIC = re.compile(r"[ء-غف-ي]+")
_KAF_BEFORE = frozenset(("ما", "ان", "انه", "انها", "ذلك", "هذا", "هذه", "لو", "اي"))
_KAF_AFTER = frozenset(
    "ل ب ان لان ف الي علي لدي مع من عن في عند بين نفس لكن انت هنا بان عندما وجه امام".split()
)
# Before a suffix ى is ا (مستواه), but in these ي (اليه).
_YA_BEFORE_SUFFIX = frozenset(("فى", "على", "الى", "لدى", "وفى", "وعلى", "والى"))
# Names that begin with ال without an article: ل is written before the alef (لالمانيا).
_NO_ARTICLE = re.compile(
    r"ال(?:ماني|باني|اسك|فريد|كترا|كسند|يزابيث|يكس|برت|تون|ينوي|فيس|نبي|فارو|كترون|يكترون)"
)
# Pieces that are no words, and pieces that are words too.
_FRAGMENTS = frozenset("اع اج اح اص اد اه ات".split())
_MAYBE_FRAGMENTS = frozenset("ان اب اخ ال اق اس ار اف اك".split())
_LAM_ARTICLE = re.compile("([وف]?ل)(ال.+)")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Layout:
    """A sentence as text.

    Attributes:
        text: words with single blanks between them.
        tokens: (start, end) of every token in `text`; letters that spelling drops are in none.
        glued: whether token n and the next are one word; False for the last.
        proclitic: whether token n is a proclitic of the next, and not a letter cut off it (ف رويد).
    """

    text: str
    tokens: tuple[tuple[int, int], ...]
    glued: tuple[bool, ...]
    proclitic: tuple[bool, ...]


def spaced(words: Sequence[str]) -> Layout:
    """Return words joined by single blanks."""
    return _lay_out(words, [False] * len(words), [False] * len(words))


class Detokeniser:
    """Joins the tokens of one corpus.

    Args:
        vocabulary: how often each token of the corpus occurs. It tells the article from the beginning of a
            word (لالاتحاد: اتحاد is a word), and a fragment from a word (اع مال: اعمال is one).
        starts: how often each token begins an entity; see `letters_outside`.
    """

    def __init__(self, vocabulary: Mapping[str, int], starts: Mapping[str, int] | None = None) -> None:
        self._vocabulary = vocabulary
        self._starts = starts or {}

    @classmethod
    def learn(cls, sentences: Iterable[tuple[Sequence[str], Sequence[str]]]) -> "Detokeniser":
        """Return the detokeniser of a corpus, given the words and the flat IOB2 tags of its sentences."""
        vocabulary: Counter[str] = Counter()
        starts: Counter[str] = Counter()
        for words, tags in sentences:
            vocabulary.update(words)
            starts.update(w for w, t in zip(words, tags, strict=True) if t.startswith("B-"))
        return cls(vocabulary, starts)

    def join(self, words: Sequence[str], tags: Sequence[str] | None = None) -> Layout:
        """Return a sentence as text.

        Args:
            words: tokens, clitics apart.
            tags: flat IOB2 tags; they keep a suffix from being taken off a name. None for none.
        """
        tags = tags or ["O"] * len(words)
        last = len(words) - 1
        letters = _abbreviations(words)
        # A letter that is joined to the next token, whether a clitic or cut off by mistake.
        before = [
            n < last and not (letters[n] and letters[n + 1]) and self._is_proclitic(words, tags, n)
            for n in range(len(words))
        ]
        glued = list(before)
        for n in range(last):
            if glued[n] or (letters[n] and letters[n + 1]):
                continue
            glued[n] = (not before[n + 1] and self._is_enclitic(words, tags, n + 1)) or self._is_broken(
                words, tags, n
            )
        spelled = [self._spell(words, glued, before, n) for n in range(len(words))]
        clitic = [before[n] and not self._belongs(words[n], words[n + 1]) for n in range(last)]
        return _lay_out(spelled, glued, [*clitic, False])

    def letters_outside(self, word: str) -> int:
        """Return how many letters of a token that begins an entity are a proclitic left on it, 0 or 1.

        للعراق always; otherwise only where the rest begins entities twenty times as often as the whole
        (باوروبا, not بابل), three times where the rest has the article (بالازهر).
        """
        if (
            word.startswith(("لل", "لال"))
            and len(word) > 3
            and self._article(word[1:] if word[1] == "ا" else word)
        ):
            return 1
        if word[:1] not in "وبلك" or len(word) < 4 or not self._starts:
            return 0
        rest, times = word[1:], 3 if word[1:3] == "ال" and len(word) > 5 else 20
        return int(self._starts.get(rest, 0) >= max(5, times * self._starts.get(word, 0)))

    def _belongs(self, letter: str, rest: str) -> bool:
        """Whether a letter was cut off a word that is at least as frequent whole as without it (ف رويد)."""
        return self._vocabulary.get(letter + rest, 0) >= max(1, self._vocabulary.get(rest, 0))

    def _article(self, word: str) -> bool:
        """Whether a word that begins with ال or لل holds the article."""
        rest = word[2:]
        if word.startswith("لل"):
            return True
        if len(rest) < 2 or _NO_ARTICLE.match(word):
            return False
        return rest in self._vocabulary or f"لل{rest}" in self._vocabulary

    def _is_proclitic(self, words: Sequence[str], tags: Sequence[str], n: int) -> bool:
        word, follows = words[n], words[n + 1]
        if word == "و" and _DIGITS.fullmatch(follows):
            return n > 0 and not _DIGITS.fullmatch(words[n - 1])
        if word not in PROCLITICS or not _ARABIC.match(follows):
            return False
        if word == "س":
            return tags[n] == "O"
        if word == "ك":
            return self._kaf_before(words, tags, n)
        # A tagged letter before a name of its own is an initial, unless the splitter cut it off the name.
        return True

    def _kaf_before(self, words: Sequence[str], tags: Sequence[str], n: int) -> bool:
        """Whether ك is the preposition of the next word and not the pronoun of the one before."""
        follows = words[n + 1]
        if n == 0 or not _ARABIC.fullmatch(words[n - 1]) or words[n - 1] in ("و", "ف"):
            return True
        if words[n - 1] in _KAF_AFTER:
            return False
        return follows in _KAF_BEFORE or words[n - 1] in ENCLITICS or tags[n + 1].startswith("B-")

    def _is_enclitic(self, words: Sequence[str], tags: Sequence[str], n: int) -> bool:
        word, before = words[n], words[n - 1]
        if word not in ENCLITICS or tags[n].startswith("B-") or not _ARABIC.fullmatch(before):
            return False
        article = before.startswith("ال") and len(before) > 4
        if word in _PRONOUNS and (before in ENCLITICS or article or tags[n - 1] != "O"):
            return False
        return not (word == "ة" and before.endswith("ة"))

    def _is_broken(self, words: Sequence[str], tags: Sequence[str], n: int) -> bool:
        """Whether token n and the next are pieces of one word that the splitter cut without a clitic."""
        word, follows = words[n], words[n + 1]
        if word == "ر" or follows == "ر":
            at = n if word == "ر" else n + 1
            beside = [
                w for w in (*words[max(0, at - 1) : at], *words[at + 1 : at + 2]) if _DIGITS.fullmatch(w)
            ]
            return len(beside) == 2
        if word in ("م", "ع") and follows in ("ما", "من"):
            return True
        if len(follows) < 2 or not _ARABIC.fullmatch(follows):
            return False
        whole, rest = self._vocabulary.get(word + follows, 0), self._vocabulary.get(follows, 0)
        if tags[n] != "O":
            return word == "ا" and whole > 0 and tags[n].startswith("B-") and tags[n + 1].startswith("I-")
        if word in _MAYBE_FRAGMENTS:
            return whole > 0 and (word == "ال" or whole > 10 * rest)
        return word == "ا" or word in _FRAGMENTS

    def _spell(self, words: Sequence[str], glued: Sequence[bool], before: Sequence[bool], n: int) -> str:
        word = words[n]
        suffixed = n + 1 < len(words) and glued[n] and not before[n] and words[n + 1] in ENCLITICS
        if suffixed and words[n + 1] not in "ةى" and len(word) > 1:
            if word.endswith("ة"):
                word = word[:-1] + "ت"
            elif word.endswith("ى"):
                word = word[:-1] + ("ي" if word in _YA_BEFORE_SUFFIX else "ا")
        if n and before[n - 1] and words[n - 1] == "ل" and word.startswith("ال") and self._article(word):
            # ل + الحكومة is للحكومة, ل + اللجنة is للجنة.
            word = word[2:] if word.startswith("الل") else word[1:]
        elif (match := _LAM_ARTICLE.match(word)) and self._article(match[2]):
            word = match[1] + match[2][2 if match[2].startswith("الل") else 1 :]
        return word


def _abbreviations(words: Sequence[str]) -> list[bool]:
    """Return which tokens are letters of an abbreviation (د ب ا), none of them a clitic.

    That is a run of two letters or more of which at least one is no clitic. A ا at its end that a longer word
    follows is a fragment of that word and not counted.
    """
    marked = [False] * len(words)
    n = 0
    while n < len(words):
        end = n
        while end < len(words) and len(words[end]) == 1 and _ARABIC.match(words[end]):
            end += 1
        stop = end
        if end < len(words) and words[end - 1] == "ا" and end > n and _ARABIC.match(words[end]):
            stop -= 1
        run = words[n:stop]
        if len(run) > 1 and any(w not in PROCLITICS and w not in ENCLITICS for w in run):
            marked[n:stop] = [True] * len(run)
        n = max(end, n + 1)
    return marked


def _lay_out(words: Sequence[str], glued: Sequence[bool], proclitic: Sequence[bool]) -> Layout:
    text = ""
    tokens: list[tuple[int, int]] = []
    for n, word in enumerate(words):
        if n and not glued[n - 1]:
            text += " "
        tokens.append((len(text), len(text) + len(word)))
        text += word
    return Layout(text, tuple(tokens), tuple(glued), tuple(proclitic))
