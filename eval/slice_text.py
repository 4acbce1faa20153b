"""What slices ask of a text: its sentences, the words between two spans, clause boundaries, denial cues.

Words are those of `model.text.words` that hold a letter or a digit, compared after folding
(`model.folding.fold`), so that hamza, diacritics, kashida and invisible characters make no difference. A cue or
clause word also counts after و or ف (ولم, فالذي), never inside a longer word.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property

from ..model.folding import fold
from ..model.text import paragraphs, sentence_starts, words


def _folded(listed: str) -> frozenset[str]:
    return frozenset(map(fold, listed.split()))


# Words after which a relation that seems to be stated may be denied, only planned, or doubted.
DENIAL_CUES = _folded(
    # not, neither, without
    "لم لن لا ليس ليست ليسوا لست لسنا لسن غير دون بدون بلا عدم سوى قط أبدا "
    # to deny, refuse, rule out
    "نفى نفت نفوا ينفي تنفي ينفون نافيا نافية نافين منفي أنكر أنكرت ينكر تنكر كذب كذبت يكذب تكذب مكذبا رفض رفضت "
    "رفضوا يرفض ترفض رافضا رافضة استبعد استبعدت يستبعد تستبعد مستبعدا فند فندت يفند تفند فشل فشلت يفشل تفشل "
    "ألغى ألغت ألغي ألغيت أرجأت أرجئت أرجئ تعذر "
    # planned, wished, possible, alleged
    "سوف ربما لعل ليت لو لولا يعتزم تعتزم اعتزم ينوي تنوي يخطط تخطط يأمل تأمل يتمنى تتمنى المقرر المرتقب المرتقبة "
    "المحتمل المحتملة محتمل محتملة المزعوم المزعومة مزاعم مزعوم يزعم تزعم زعم زعمت شائعة شائعات هدد هددت يهدد تهدد"
)
# Words that open a clause.
CLAUSE_WORDS = _folded(
    "أن أنه أنها أنهم أني إن إنه إنها إنهم إني أنهما إنهما بأن بأنه بأنها بأنهم لأن لأنه لأنها لأنهم كأن كأنه كأنها "
    "الذي التي الذين اللذان اللذين اللتان اللتين اللاتي اللواتي ممن مما لكن لكنه لكنها لكنهم بل "
    "حيث بينما فيما إذ إذا لو كما حين حينما عندما بعدما كلما كي لكي ريثما وهو وهي وهم"
)
_CLAUSE_MARKS = frozenset("،,؛;:.!?؟…–—")
_JOINED = frozenset("وف")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text.

    Attributes:
        start, end: of its first and last word, in code points of the text.
        words: how many words it has.
        denied: whether one of them is in `DENIAL_CUES`.
    """

    start: int
    end: int
    words: int
    denied: bool


class TextView:
    """A text, cut once into sentences and words, that answers questions about spans of it.

    Args:
        text: the document's text; sentences end at its line ends and at `model.text.sentence_starts`.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = [words(text, lo, hi) for lo, hi in paragraphs(text)]
        self._words = [w for line in self._lines for w in line if text[w[0]].isalnum()]
        self._starts = [s for s, _ in self._words]

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences in text order."""
        found = []
        for line in self._lines:
            starts = sentence_starts(self.text, line)
            for first, end in zip(starts, [*starts[1:], len(line)], strict=True):
                own = [w for w in line[first:end] if self.text[w[0]].isalnum()]
                denied = any(_is_one_of(fold(self.text[s:e]), DENIAL_CUES) for s, e in own)
                found.append(Sentence(line[first][0], line[end - 1][1], len(own), denied))
        return tuple(found)

    def sentence_at(self, offset: int) -> int:
        """Return the number of the sentence that holds an offset, or stands before it; -1 before the first."""
        return bisect_right(self._sentence_starts, offset) - 1

    def count_words(self, start: int, end: int) -> int:
        """Return how many words begin in the code points [start, end), or reach into their beginning."""
        first = bisect_left(self._starts, start)
        if first and self._words[first - 1][1] > start:
            first -= 1
        return max(0, bisect_left(self._starts, end) - first)

    def words_between(self, a: tuple[int, int], b: tuple[int, int]) -> int:
        """Return the number of whole words between two spans (start, end); 0 if they touch or overlap."""
        left, right = sorted((a, b))
        first = bisect_left(self._starts, left[1])
        # A word that runs into the later span (its proclitic) belongs to it.
        return max(0, sum(e <= right[0] for _, e in self._words[first : bisect_left(self._starts, right[0])]))

    def clause_between(self, a: tuple[int, int], b: tuple[int, int]) -> bool:
        """Whether a clause boundary stands between two spans.

        One of the marks ، ؛ : . ! ؟ … or a dash (not within a number), or one of `CLAUSE_WORDS`. This is a
        surface test: a comma of a list or of an apposition counts as well.
        """
        left, right = sorted((a, b))
        for n in range(left[1], right[0]):
            if self.text[n] in _CLAUSE_MARKS and not (
                self.text[n - 1].isdigit() and self.text[n + 1 : n + 2].isdigit()
            ):
                return True
        first = bisect_left(self._starts, left[1])
        between = self._words[first : bisect_left(self._starts, right[0])]
        return any(e <= right[0] and _is_one_of(fold(self.text[s:e]), CLAUSE_WORDS) for s, e in between)

    @cached_property
    def _sentence_starts(self) -> list[int]:
        return [s.start for s in self.sentences]


def _is_one_of(word: str, listed: frozenset[str]) -> bool:
    return word in listed or (word[:1] in _JOINED and word[1:] in listed)
