"""From a text to the windows that the encoder reads: words, pieces, letters, with nothing left out."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .processes import cores, fork_quietly
from .text import encodable, leading_letters, paragraphs, sentence_starts, words

if TYPE_CHECKING:
    from .backends.light import LightConfig
    from .configuration import IsnadConfig

# Words handed to the tokenizer in one call: its cost grows faster than linearly with very long inputs.
_WORDS_A_CALL = 4096
# Fewer words are not worth another core.
_WORDS_A_CORE = 256
# Words, and with them what is kept beside windows, of paragraphs that are looked at together.
_WORDS_A_BLOCK = 32_768
# Different words whose pieces are kept: most words of a text have come before, and are not cut again.
_WORDS_KNOWN = 65_536
# A word's letters as the model sees them: the first ones (proclitics, article) and the last ones (suffixes).
_FIRST_LETTERS, _LAST_LETTERS = 5, 3
LETTER_SLOTS = _FIRST_LETTERS + _LAST_LETTERS
# Letters are numbered by code point within the Arabic block, everything else shares the slots below 64.
LETTER_VOCABULARY = 320


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of words of one paragraph with its word pieces.

    Attributes:
        words: (start, end) of each word in code points of the document.
        core: range of words that belong to this window; spans beginning elsewhere are context, and are
            taken from the neighbouring window whose core holds them.
        input_ids: piece ids, special tokens included.
        first, last: positions of each word's first and last piece in `input_ids`.
        letters: [words, 8], ids of the first five and last three letters, 0 pads.
    """

    words: list[tuple[int, int]]
    core: tuple[int, int]
    input_ids: list[int]
    first: list[int]
    last: list[int]
    letters: NDArray[np.int64]


def letter_id(char: str) -> int:
    """Return 1…319: Arabic letters have ids of their own, other characters share a few by kind."""
    code = ord(char)
    if 0x0600 <= code <= 0x06FF:
        return 64 + code - 0x0600
    if char.isdigit():
        return 1
    if char.isalpha():
        return 2
    return 3 + code % 61 if code < 128 else 2


def word_letters(text: str, spans: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return [words, 8] letter ids of the words of `text`."""
    if not spans:
        return np.zeros((0, LETTER_SLOTS), dtype=np.int64)
    return np.stack([_letter_row(text[start:end]) for start, end in spans])


@lru_cache(maxsize=32_768)
def _letter_row(word: str) -> NDArray[np.int64]:
    row = np.zeros(LETTER_SLOTS, dtype=np.int64)
    plain = leading_letters(word, 0, len(word), len(word))
    for i, char in enumerate(plain[:_FIRST_LETTERS]):
        row[i] = letter_id(char)
    for i, char in enumerate(plain[-_LAST_LETTERS:]):
        row[_FIRST_LETTERS + i] = letter_id(char)
    return row


class WindowMaker:
    """Cuts documents into windows for one tokenizer.

    A window never crosses a paragraph, so a document gives the same result whole or paragraph by paragraph.
    A paragraph longer than `max_pieces` is cut at sentence ends where there are any, and the windows overlap
    by up to `overlap_pieces` of context on both sides.

    Args:
        tokenizer: any fast tokenizer of transformers.
        max_pieces: pieces of a window, special tokens included.
        overlap_pieces: pieces of context on either side of a cut.
    """

    def __init__(self, tokenizer: Any, *, max_pieces: int = 256, overlap_pieces: int = 64) -> None:
        self._tokenizer = tokenizer
        # A tokenizer cuts each of the words that it is given for itself.
        self._known: dict[str, list[int]] = {}
        probe = tokenizer("ا", add_special_tokens=True)["input_ids"]
        bare = tokenizer("ا", add_special_tokens=False)["input_ids"]
        at = next((i for i in range(len(probe)) if probe[i : i + len(bare)] == bare), 0)
        self._prefix, self._suffix = list(probe[:at]), list(probe[at + len(bare) :])
        # Byte-level vocabularies often have no unknown piece; any constant one will do for a word of nothing.
        spare = (tokenizer.unk_token_id, tokenizer.mask_token_id, tokenizer.pad_token_id, 0)
        self._unknown = next(piece for piece in spare if piece is not None)
        self._blanks = _wants_blanks(tokenizer)
        self._body = max_pieces - len(self._prefix) - len(self._suffix)
        self._overlap = min(overlap_pieces, self._body // 4)
        if self._body < 8:
            raise ValueError(f"max_pieces is {max_pieces}; accepted: at least 8 more than the special tokens")

    @classmethod
    def of(cls, tokenizer: Any, config: "IsnadConfig | LightConfig") -> "WindowMaker":
        """Return the maker of the windows that a model is configured for."""
        return cls(tokenizer, max_pieces=config.max_pieces, overlap_pieces=config.overlap_pieces)

    def windows(self, text: str) -> Iterator[Window]:
        """Yield the windows of a document in order; a text without words yields none."""
        for start, end in paragraphs(text):
            spans = words(text, start, end)
            chunk = self._spelled(text, spans)
            yield from self._paragraph(text, spans, chunk, self._pieces(chunk))

    def batch(self, texts: Sequence[str]) -> list[list[Window]]:
        """Return the windows of each of some documents; what is new in many of them is cut at once, on all cores."""
        found: list[list[Window]] = [[] for _ in texts]
        for block in _blocks(texts):
            chunks = [self._spelled(texts[n], spans) for n, spans in block]
            pieces = self._pieces(word for chunk in chunks for word in chunk)
            for (n, spans), chunk in zip(block, chunks, strict=True):
                found[n].extend(self._paragraph(texts[n], spans, chunk, pieces))
        return found

    def _paragraph(
        self,
        text: str,
        spans: list[tuple[int, int]],
        chunk: Sequence[str],
        known: Mapping[str, list[int]],
    ) -> Iterator[Window]:
        pieces = [known[word] for word in chunk]
        for lo, hi, core in self._ranges(text, spans, pieces):
            yield self._window(text, spans[lo:hi], pieces[lo:hi], (core[0] - lo, core[1] - lo))

    def _spelled(self, text: str, spans: list[tuple[int, int]]) -> list[str]:
        """Return the words as the tokenizer wants them."""
        chunk = [text[s:e] for s, e in spans]
        if not self._blanks:
            return chunk
        return [
            f" {word}" if s and text[s - 1].isspace() else word
            for word, (s, _) in zip(chunk, spans, strict=True)
        ]

    def _pieces(self, chunk: Iterable[str]) -> dict[str, list[int]]:
        """Return the piece ids of words; a word that normalises to nothing is one unknown piece."""
        known = self._known
        wanted = dict.fromkeys(chunk)
        found = {word: known[word] for word in wanted if word in known}
        new = [word for word in wanted if word not in found]
        if new:
            cut = dict(zip(new, self._cut(new), strict=True))
            found |= cut
            if len(known) + len(cut) > _WORDS_KNOWN:
                self._known = dict(cut)  # other threads may still read from the old one
            else:
                known.update(cut)
        return found

    def _cut(self, chunk: list[str]) -> list[list[int]]:
        """Return the piece ids of different words, each as if it stood alone."""
        together = 1 if len(chunk) < 2 * _WORDS_A_CORE else cores()
        size = min(_WORDS_A_CALL, max(_WORDS_A_CORE, -(-len(chunk) // together)))
        parts = [[encodable(w) for w in chunk[at : at + size]] for at in range(0, len(chunk), size)]
        pieces: list[list[int]] = []
        for at in range(0, len(parts), together):
            group = parts[at : at + together]
            for part, ids, numbers in zip(group, *self._encoded(group), strict=True):
                rows: list[list[int]] = [[] for _ in part]
                for piece, word in zip(ids, numbers, strict=True):
                    if word is not None:
                        rows[word].append(piece)
                pieces.extend(row[: self._body] or [self._unknown] for row in rows)
        return pieces

    def _encoded(self, parts: list[list[str]]) -> tuple[list[list[int]], list[list[int | None]]]:
        """Return the pieces of lists of words, and the word of each piece; several lists on as many cores."""
        options = {"is_split_into_words": True, "add_special_tokens": False}
        if len(parts) == 1:
            encoding = self._tokenizer(parts[0], **options)
            return [encoding["input_ids"]], [encoding.word_ids(0)]
        fork_quietly()
        encoding = self._tokenizer(parts, **options)
        return encoding["input_ids"], [encoding.word_ids(n) for n in range(len(parts))]

    def forget(self) -> None:
        """Drop what is kept of the words that came before; what is found does not depend on it."""
        self._known = {}
        _letter_row.cache_clear()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_known": {}}

    def _ranges(
        self, text: str, spans: list[tuple[int, int]], pieces: list[list[int]]
    ) -> Iterator[tuple[int, int, tuple[int, int]]]:
        """Yield (first word, last word + 1, core) of each window of a paragraph."""
        ends = np.cumsum([len(p) for p in pieces])
        if len(ends) == 0 or ends[-1] <= self._body:
            if len(ends):
                yield 0, len(spans), (0, len(spans))
            return
        cuts = self._cuts(np.asarray(sentence_starts(text, spans)), ends)
        for lo, hi in itertools.pairwise(cuts):
            before = int(np.searchsorted(ends, ends[lo - 1] - self._overlap, side="right")) + 1 if lo else 0
            after = int(np.searchsorted(ends, ends[hi - 1] + self._overlap, side="right"))
            first, last = min(before, lo), max(after, hi)
            # A core that is one endless word leaves less room for context.
            while _count(ends, first, last) > self._body:
                if _count(ends, first, lo) >= _count(ends, hi, last):
                    first += 1
                else:
                    last -= 1
            yield first, last, (lo, hi)

    def _cuts(self, sentences: NDArray[np.int64], ends: NDArray[np.int64]) -> list[int]:
        """Return word indices where cores begin, then the number of words; at sentence starts if possible."""
        core = self._body - 2 * self._overlap
        cuts, used = [0], 0
        while True:
            limit = int(np.searchsorted(ends, used + core, side="right"))
            if limit >= len(ends):
                return [*cuts, len(ends)]
            # The first word begins a sentence, so there always is one at or before the limit.
            sentence = int(sentences[np.searchsorted(sentences, limit, side="right") - 1])
            cut = sentence if sentence > cuts[-1] else max(limit, cuts[-1] + 1)
            cuts.append(cut)
            used = int(ends[cut - 1])

    def _window(
        self, text: str, spans: list[tuple[int, int]], pieces: list[list[int]], core: tuple[int, int]
    ) -> Window:
        ids = list(self._prefix)
        first, last = [], []
        for row in pieces:
            first.append(len(ids))
            ids.extend(row)
            last.append(len(ids) - 1)
        return Window(spans, core, ids + self._suffix, first, last, word_letters(text, spans))


def _count(ends: NDArray[np.int64], first: int, last: int) -> int:
    """Return the number of pieces of the words [first, last), given where each word's pieces end."""
    return int(ends[last - 1] - (ends[first - 1] if first else 0)) if last > first else 0


def _wants_blanks(tokenizer: Any) -> bool:
    """Whether words must be handed over with the blank before them to get the pieces they have in a sentence.

    So it is with byte-level vocabularies whose pre-tokenizer adds no blank of its own (ModernBERT).
    """

    def pieces(words: str | list[str]) -> list[int]:
        split = not isinstance(words, str)
        return list(tokenizer(words, is_split_into_words=split, add_special_tokens=False)["input_ids"])

    sentence = pieces("ا ا")
    return pieces(["ا", "ا"]) != sentence and pieces(["ا", " ا"]) == sentence


def _blocks(texts: Sequence[str]) -> Iterator[list[tuple[int, list[tuple[int, int]]]]]:
    """Yield the words of paragraphs in order, each paragraph with the index of its text, many paragraphs at a time."""
    block: list[tuple[int, list[tuple[int, int]]]] = []
    held = 0
    for number, text in enumerate(texts):
        for start, end in paragraphs(text):
            spans = words(text, start, end)
            block.append((number, spans))
            held += len(spans)
            if held >= _WORDS_A_BLOCK:
                yield block
                block, held = [], 0
    yield block
