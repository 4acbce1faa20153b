"""Training of a WordPiece tokenizer whose `tokenizer.json` carries the Arabic normalizer."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ...model.folding import tokenizer_normalizer
from ...model.text import WORD_LIMIT

log = logging.getLogger(__name__)

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def build_tokenizer() -> Tokenizer:
    """Return an untrained WordPiece tokenizer: our folding, words and punctuation and digit runs apart."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=4 * WORD_LIMIT))
    tokenizer.normalizer = tokenizer_normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=False)]
    )
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def train_tokenizer(
    texts: Iterable[str], *, vocab_size: int = 32_000, min_frequency: int = 3, alphabet: int = 400
) -> PreTrainedTokenizerFast:
    """Train on `texts` and return a transformers tokenizer.

    Args:
        texts: paragraphs of raw text.
        vocab_size: number of pieces, special tokens included.
        min_frequency: a merge must occur this often.
        alphabet: number of distinct characters kept; rarer ones become [UNK].
    """
    tokenizer = build_tokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        limit_alphabet=alphabet,
        special_tokens=list(SPECIAL_TOKENS),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_batched(texts), trainer=trainer)
    return _wrapped(tokenizer)


def tokenizer_of(pieces: Sequence[str]) -> PreTrainedTokenizerFast:
    """Return a tokenizer of a given vocabulary: special tokens, then `pieces`, which continue a word after `##`.

    The trainer breaks ties between equally frequent pieces by chance; a vocabulary that is given is the same
    in every process.
    """
    vocabulary = {piece: n for n, piece in enumerate([*SPECIAL_TOKENS, *dict.fromkeys(pieces)])}
    tokenizer = build_tokenizer()
    limit = tokenizer.model.max_input_chars_per_word
    tokenizer.model = models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=limit)
    return _wrapped(tokenizer)


def _wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """Return the transformers tokenizer, which puts [CLS] and [SEP] around a text."""
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", cls), ("[SEP]", sep)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "attention_mask"],
    )


def fertility(tokenizer: PreTrainedTokenizerBase, path: Path) -> dict[str, float]:
    """Return pieces a whitespace word and the share of [UNK] pieces over a text file."""
    words = pieces = unknown = 0
    unk = tokenizer.unk_token_id
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            ids = tokenizer(line, add_special_tokens=False)["input_ids"]
            words += len(line.split())
            pieces += len(ids)
            unknown += sum(i == unk for i in ids)
    return {
        "words": words,
        "pieces_per_word": pieces / max(words, 1),
        "unknown_rate": unknown / max(pieces, 1),
    }


def _batched(texts: Iterable[str], size: int = 1000) -> Iterator[list[str]]:
    """Group paragraphs so that the Rust side is entered once a thousand; blank boundaries are skipped."""
    batch: list[str] = []
    for text in texts:
        if text:
            batch.append(text)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
