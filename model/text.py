"""Words, proclitics, paragraphs and readable names, all with code-point offsets into the original text."""

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache

from .document import Entity
from .folding import DIGIT_FOLDS, INVISIBLE_RANGES, KASHIDA, MARK_FORM_RANGES, MARK_RANGES

# A longer run of letters is cut into words of this many code points: no model has pieces for it, and a
# text of a million letters without a blank must not become one word.
WORD_LIMIT = 64
# و ف (conjunctions), ب ل ك (prepositions), س (future) never stands before a name. With `ولل` three is the
# longest stack of letters that occurs before a name.
PROCLITICS = frozenset("وفبلك")
MAX_PROCLITICS = 3

_ZERO_WIDTH = f"{MARK_RANGES}{INVISIBLE_RANGES}{MARK_FORM_RANGES}"
_WORD = re.compile(
    rf"[^\W\d_{MARK_FORM_RANGES}](?:[^\W\d_{MARK_FORM_RANGES}]+|[{_ZERO_WIDTH}]+)*"  # letters with their marks
    rf"|\d(?:\d+|[{INVISIBLE_RANGES}]+(?=\d))*"  # digits
    rf"|[^\s\w\x00-\x1f\x7f-\x9f{_ZERO_WIDTH}]|_"  # one symbol
)
# Bounded: a letter under thousands of marks must not draw them all into every span that ends there.
_MARKS = re.compile(f"[{MARK_RANGES}{MARK_FORM_RANGES}]{{1,{WORD_LIMIT}}}")
_RIDING = re.compile(f"[{_ZERO_WIDTH}{KASHIDA}]*")
_INVISIBLE = re.compile(f"[{INVISIBLE_RANGES}]")
_ONLY_ZERO_WIDTH = re.compile(f"[{_ZERO_WIDTH}]*")
_IN_RUN = re.compile(rf"[\w{_ZERO_WIDTH}]")
# Characters that are in no word with others, and by far the most frequent ones at the edges of names.
_SEPARATORS = frozenset(' \t\n\r،.؛:؟!"()[]{}«»“”/-–—')
# How far back `word_bounds` looks for the beginning of an endless run of letters.
_RUN_LIMIT = 64 * WORD_LIMIT
_PARAGRAPH = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
# The look-behind keeps the search linear in a run of a million full stops.
_SENTENCE_END = re.compile(r"(?<![.!?؟…۔])[.!?؟…۔]+[\"'»”’)\]]*(?=\s)|[؛](?=\s)")
_UNREADABLE = re.compile(f"[{_ZERO_WIDTH}{KASHIDA}]")
_MARK_FORM = re.compile(f"[{MARK_FORM_RANGES}]")
_SURROGATE = re.compile("[\ud800-\udfff]")

# Names whose own first letter is lam: after a proclitic lam they are written like names that lost the alef
# of their article (للبنان = ل + لبنان, but للعراق = ل + العراق).
_LAM_INITIAL = frozenset(
    "لبنان لندن ليبيا لاتفيا ليتوانيا ليختنشتاين لوكسمبورغ لكسمبورغ ليبيريا ليسوتو لاوس لاهاي لاهور لاس لوس ليون "
    "ليل لشبونة ليفربول ليستر ليدز لايبزيغ لوزان لوبلان لافروف ليفني لابيد لوكاشينكو لولا لينين ليو لويس لويزا "
    "لوران لورا ليلى لبنى لطيفة لطفي لؤي لقمان لميس لمى لينا لوف لوفتهانزا لينكدإن لينوفو ليكود لازارد لحد لحود "
    "لحج لاذقية لواندا لاغوس ليما لوغانسك لفيف لوهان لوكهيد لاريجاني لور لورستان لواء لجنة لقاء ليلة لغة "
    "لاعبو لاعبي لاجئو لاجئي لائحة لوائح لوبي لوحة لوحات لقاح لجان ليالي".split()
)
_LAM_INITIAL_FORMS = re.compile(
    "(?:لبناني|ليبي|ليبيري|لاتفي|ليتواني|لاتيني|لندني|لاعب|لاجئ)(?:ة|ين|ون|ات|ا)?"
)
_LAM_WORD = re.compile(rf"(?<![\w{_ZERO_WIDTH}])[وفبك]?(ا?ل\w+)")


def words(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Split a text into words.

    Letters run together with the marks, kashida and invisible characters that ride on them; digits form
    runs of their own; every other visible character is a word. Control characters and blanks are in no word.

    Args:
        text: any string, lone surrogates and NUL included.
        start, end: the part to split; a word never crosses it.

    Returns:
        (start, end) in code points of `text`, in order, without overlap. Invisible characters at the end
        of a word are left out; combining marks are kept. Runs beyond `WORD_LIMIT` are cut, and pieces of
        them that hold marks and invisible characters only are left out.
    """
    spans: list[tuple[int, int]] = []
    for match in _WORD.finditer(text, start, len(text) if end is None else end):
        lo, hi = match.span()
        if not text[hi - 1].isalnum():  # no letter or digit is invisible
            while _INVISIBLE.match(text, hi - 1):
                hi -= 1
        if hi - lo <= WORD_LIMIT:
            spans.append((lo, hi))
            continue
        for at in range(lo, hi, WORD_LIMIT):
            cut = min(at + WORD_LIMIT, hi)
            if not _ONLY_ZERO_WIDTH.fullmatch(text, at, cut):
                spans.append((at, cut))
    return spans


def paragraphs(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of every line that holds a word; line ends of all conventions count."""
    return [m.span() for m in _PARAGRAPH.finditer(text) if _WORD.search(m.group())]


def sentence_starts(text: str, spans: list[tuple[int, int]]) -> list[int]:
    """Return the indices of the words of `spans` that begin a sentence; the first word always does."""
    if not spans:
        return []
    offsets = [s for s, _ in spans]
    starts = [0]
    for match in _SENTENCE_END.finditer(text, spans[0][0], spans[-1][1]):
        index = bisect_right(offsets, match.end() - 1)
        # "د. محمد": a full stop after one letter abbreviates.
        lone = (
            index >= 2 and spans[index - 2][1] - spans[index - 2][0] == 1 and text[spans[index - 1][0]] == "."
        )
        if not lone and starts[-1] < index < len(spans):
            starts.append(index)
    return starts


def letter_offset(text: str, start: int, end: int, letters: int) -> int:
    """Return the offset after the first `letters` letters of a word, with the marks and kashida that ride on them.

    The result is at most `end`. A kashida before the first letter is passed over, as in `letters_before`.
    """
    at = min(_RIDING.match(text, start).end(), end) if letters else start  # type: ignore[union-attr]
    for _ in range(letters):
        if at >= end:
            break
        at = min(_RIDING.match(text, at + 1).end(), end)  # type: ignore[union-attr]
    return at


def letters_before(text: str, word_start: int, start: int) -> int:
    """Return how many letters of a word stand before `start`; marks, kashida and invisibles do not count."""
    return len(_UNREADABLE.sub("", text[word_start:start]))


def leading_letters(text: str, start: int, end: int, count: int) -> str:
    """Return the first `count` readable characters of a word, presentation forms resolved."""
    # Three code points a letter hold any usual vocalisation; the word's own end bounds the rest.
    part = _MARK_FORM.sub("", text[start : min(end, start + 3 * count + 3)])
    return _UNREADABLE.sub("", unicodedata.normalize("NFKC", part))[:count]


def extend_over_marks(text: str, end: int) -> int:
    """Return `end` moved over combining marks that trail it, so that no mark is cut off its letter."""
    match = _MARKS.match(text, end)
    return match.end() if match else end


def word_bounds(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span grown to whole words, proclitics included.

    Looks a bounded number of code points to either side, so the cost does not grow with the text.
    """
    if _between_words(text, start) and _between_words(text, end):
        return start, end
    left, right = max(0, start - WORD_LIMIT), min(len(text), end + WORD_LIMIT)
    # Where a run longer than `WORD_LIMIT` is cut into words depends on where it begins.
    floor = max(0, start - _RUN_LIMIT)
    while left > floor and _IN_RUN.match(text, left - 1):
        left -= 1
    lo, hi = start, end
    for s, e in words(text, left, right):
        if s < start < e:
            lo = s
        if s < end < e:
            hi = e
    return lo, hi


def _between_words(text: str, at: int) -> bool:
    """Whether plainly no word lies across an offset; False where that takes a closer look."""
    return at in (0, len(text)) or text[at - 1] in _SEPARATORS or text[at] in _SEPARATORS


def readable(text: str) -> str:
    """Return text without kashida, diacritics and invisible characters, blanks collapsed, forms resolved."""
    return " ".join(_UNREADABLE.sub("", unicodedata.normalize("NFKC", _MARK_FORM.sub("", text))).split())


def display_name(text: str, start: int, end: int) -> str:
    """Return the readable name of a span, with the alef restored that a proclitic lam elides.

    `للعراق` holds the span `لعراق`, whose name is `العراق`; `للبنان` holds `لبنان`, whose name it is. A word
    list and the rest of the document tell the two apart. A span of which nothing readable is left (a lone
    kashida) is its own name.
    """
    name = readable(text[start:end]) or text[start:end]
    if not name.startswith("ل") or start == 0 or text[start - 1].isspace():
        return name
    before = readable(text[max(0, start - 4) : start])
    if not before.endswith("ل") or letters_before(text, word_bounds(text, start, end)[0], start) == 0:
        return name
    first = name.split()[0]
    known = _lam_words(text)
    if first == "له":
        return "الله" + name[2:]  # ل + الله is written لله
    if "ا" + first in known:
        return "ا" + name
    if first in known or first in _LAM_INITIAL or _LAM_INITIAL_FORMS.fullmatch(first):
        # ل + اللبنانيين is written like ل + لبنانيين: only another mention shows the article.
        return "ال" + name if "ال" + first in known and first not in known else name
    return "ا" + name


@lru_cache(maxsize=4)
def _lam_words(text: str) -> frozenset[str]:
    """Return the words of a text that begin with lam or an article, one proclitic taken off."""
    return frozenset(match.group(1) for match in _LAM_WORD.finditer(text))


def make_entity(text: str, start: int, end: int, label: str, *, id: str = "", score: float = 1.0) -> Entity:
    """Build the Entity of a span: text, readable name and whole-word bounds are filled in.

    Args:
        text: the document's text.
        start, end: code points, end exclusive, `0 <= start < end <= len(text)`.
        label: entity type.
        id: mention id, unique in its document.
        score: probability in [0, 1].
    """
    word_start, word_end = word_bounds(text, start, end)
    return Entity(
        id=id,
        start=start,
        end=end,
        label=label,
        text=text[start:end],
        name=display_name(text, start, end),
        score=score,
        word_start=word_start,
        word_end=word_end,
    )


def encodable(text: str) -> str:
    """Return `text` with every lone surrogate replaced one for one, so that a tokenizer can take it."""
    return _SURROGATE.sub("\ufffd", text)


def western_digits(text: str) -> str:
    """Return `text` with Arabic-Indic digits written 0-9."""
    return text.translate(_DIGITS)


_DIGITS = str.maketrans({c: to for to, chars in DIGIT_FOLDS.items() for c in chars})


# Signs that may begin or end a name (@handle, +18, 50%, ج.م., a title's question mark). Other punctuation and
# symbols at an edge, quotes and emoji above all, are not part of a name.
_OPENING, _CLOSING = frozenset("@#+("), frozenset("%٪‰.)+؟?!°")
_EDGE_CATEGORIES = frozenset({"Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sk", "Sm", "So"})


def trim_edges(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without the punctuation, symbols and blanks at its edges that no name has there.

    A bracket stays only if its partner is inside. A span of nothing else comes back empty.
    """
    if text[start].isalnum() and text[end - 1].isalnum():
        return start, end
    while start < end and _strange(text[start], _OPENING, partner=")", rest=text[start + 1 : end]):
        start += 1
    while end > start and _strange(text[end - 1], _CLOSING, partner="(", rest=text[start : end - 1]):
        end -= 1
    return start, end


def _strange(char: str, allowed: frozenset[str], *, partner: str, rest: str) -> bool:
    if char in "()" and char in allowed:
        return partner not in rest
    return char not in allowed and (unicodedata.category(char) in _EDGE_CATEGORIES or char.isspace())
