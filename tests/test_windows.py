"""Windows lose and double nothing, whatever the tokenizer, and long texts give what their paragraphs give."""

import itertools
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.backends.torch_backend import TorchBackend, budget_batches
from isnad.model.document import Document
from isnad.model.inference import Extractor
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.text import paragraphs, words
from isnad.model.windows import LETTER_VOCABULARY, Window, WindowMaker, letter_id, word_letters
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


pytestmark = pytest.mark.usefixtures("one_thread")


def _byte_level(lines: list[str], *, prefix: bool) -> PreTrainedTokenizerFast:
    """As RoBERTa (with the blank before the first word) and ModernBERT (without) have it; no unknown piece."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace("ـ", "")
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=prefix)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def _unigram(lines: list[str]) -> PreTrainedTokenizerFast:
    """As XLM-R has it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=500, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>")


@pytest.fixture(scope="module")
def tokenizers_by_kind(articles: list[Document], tiny_encoder: Path) -> dict[str, PreTrainedTokenizerFast]:
    lines = [line for document in articles for line in document.text.splitlines()]
    return {
        "wordpiece": AutoTokenizer.from_pretrained(tiny_encoder, local_files_only=True),
        "roberta": _byte_level(lines, prefix=True),
        "modernbert": _byte_level(lines, prefix=False),
        "unigram": _unigram(lines),
    }


KINDS = ("wordpiece", "roberta", "modernbert", "unigram")


def check_cover(text: str, windows: list[Window], max_pieces: int) -> None:
    """Every word is in the core of one window, in order, and no window is larger than allowed."""
    cores = [w.words[i] for w in windows for i in range(*w.core)]
    assert cores == words(text)
    for window in windows:
        assert len(window.input_ids) <= max_pieces
        assert all(isinstance(i, int) for i in window.input_ids)
        assert 0 <= window.core[0] < window.core[1] <= len(window.words)
        spread = list(zip(window.first, window.last, strict=True))
        assert len(spread) == len(window.words) == len(window.letters)
        # The pieces of the words stand one after the other between the special tokens.
        assert all(first <= last for first, last in spread)
        assert all(b[0] == a[1] + 1 for a, b in itertools.pairwise(spread))


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_is_lost_or_doubled(
    kind: str, tokenizers_by_kind: dict[str, PreTrainedTokenizerFast], articles: list[Document]
) -> None:
    texts = [
        *(a.text for a in articles),
        " ".join(a.text.replace("\n", " ").replace(".", "") for a in articles),  # one endless sentence
        "ـ \u0640\u0640 محمد ﷺ ﷽ \ud800 \x00 👨\u200d👩\u200d👧",
        "ب" * 5000,
        "قال " * 30 + "ﷺ" * 64 + " نعم" * 30,  # one word of a thousand pieces among many
        "\u200f\u064b \n \t",
        "",
    ]
    for max_pieces, overlap in ((16, 4), (64, 24), (256, 64)):
        maker = WindowMaker(tokenizers_by_kind[kind], max_pieces=max_pieces, overlap_pieces=overlap)
        for text in texts:
            check_cover(text, list(maker.windows(text)), max_pieces)


@pytest.mark.parametrize("kind", KINDS)
def test_words_get_the_pieces_they_have_in_a_sentence(
    kind: str, tokenizers_by_kind: dict[str, PreTrainedTokenizerFast]
) -> None:
    tokenizer = tokenizers_by_kind[kind]
    text = "زار إسماعيل قاآني بغداد والتقى قادة الحشد الشعبي"
    [window] = WindowMaker(tokenizer).windows(text)
    assert window.input_ids == tokenizer(text)["input_ids"]


def test_a_word_that_normalises_to_nothing_keeps_its_place(
    tokenizers_by_kind: dict[str, PreTrainedTokenizerFast],
) -> None:
    for kind in ("wordpiece", "roberta", "modernbert"):
        [window] = WindowMaker(tokenizers_by_kind[kind]).windows("قال ـ نعم")
        assert len(window.words) == 3 and window.first[1] == window.last[1]


@given(st.text(st.sampled_from("ابت.؟ \n\u064bـﷺ👩\u200d\x00\ud8001٢") | st.characters(), max_size=400))
@settings(max_examples=120, deadline=None)
def test_any_text_is_covered(text: str) -> None:
    check_cover(text, list(_MAKERS["small"].windows(text)), 16)


_MAKERS: dict[str, WindowMaker] = {}


@pytest.fixture(autouse=True)
def _small_maker(tokenizers_by_kind: dict[str, PreTrainedTokenizerFast]) -> None:
    _MAKERS["small"] = WindowMaker(tokenizers_by_kind["wordpiece"], max_pieces=16, overlap_pieces=4)


def test_context_surrounds_every_cut(tokenizers_by_kind: dict[str, PreTrainedTokenizerFast]) -> None:
    text = " ".join(f"كلمة{'بتثجحخ'[i % 6]}" for i in range(2000))
    maker = WindowMaker(tokenizers_by_kind["wordpiece"], max_pieces=96, overlap_pieces=16)
    windows = list(maker.windows(text))
    assert len(windows) > 10
    for number, window in enumerate(windows):
        before = window.first[window.core[0]] - window.first[0]
        after = window.last[-1] - window.last[window.core[1] - 1]
        assert before <= 16 and after <= 16
        assert before >= 8 or number == 0
        assert after >= 8 or number == len(windows) - 1


def test_long_paragraphs_are_cut_at_sentence_ends(
    tokenizers_by_kind: dict[str, PreTrainedTokenizerFast], articles: list[Document]
) -> None:
    text = " ".join(articles[0].text.split())
    maker = WindowMaker(tokenizers_by_kind["wordpiece"], max_pieces=256, overlap_pieces=64)
    begun = [text[w.words[w.core[0]][0] - 2 : w.words[w.core[0]][0]].strip() for w in maker.windows(text)][1:]
    assert sum(mark in '.؟!؛"»' for mark in begun) >= len(begun) * 0.6


def test_a_window_needs_room(tokenizers_by_kind: dict[str, PreTrainedTokenizerFast]) -> None:
    with pytest.raises(ValueError, match="max_pieces is 9; accepted"):
        WindowMaker(tokenizers_by_kind["wordpiece"], max_pieces=9)


def test_letters_fit_their_table() -> None:
    ids = [letter_id(chr(c)) for c in [*range(0x3000), 0xFEFB, 0x1F600, 0xD800, 0x10FFFF]]
    assert min(ids) >= 1 and max(ids) < LETTER_VOCABULARY
    assert len({letter_id(chr(c)) for c in range(0x0600, 0x0700)}) == 256
    text = "وَلِلعراقِ ﻟﻠﻌﺮاق ﷺ ـ"
    rows = word_letters(text, words(text))
    assert [letter_id(c) for c in "وللعر"] == rows[0][:5].tolist()
    assert [letter_id(c) for c in "راق"] == rows[0][5:].tolist() == rows[1][5:].tolist()
    assert rows[3].tolist() == [0] * 8


def test_batches_keep_their_budget() -> None:
    lengths = [3, 50, 7, 7, 120, 1, 64]
    groups = budget_batches(lengths, 100)
    assert sorted(i for g in groups for i in g) == list(range(7))
    assert all(len(g) * max(lengths[i] for i in g) <= 100 or len(g) == 1 for g in groups)
    assert budget_batches([], 10) == []


@pytest.mark.parametrize("budget", [512, 4096, 16384])
def test_little_of_a_batch_is_padding(budget: int) -> None:
    lengths = np.random.default_rng(5).integers(5, 90, 400).tolist()
    groups = budget_batches(lengths, budget)
    assert sorted(i for g in groups for i in g) == list(range(400))
    for group in groups:
        own = [lengths[i] for i in group]
        padding = max(own) * len(own) - sum(own)
        assert padding <= max(own) * max(1.5, 0.125 * len(own))
    padded = sum(len(g) * max(lengths[i] for i in g) for g in groups)
    assert padded < 1.2 * sum(lengths)
    assert len(groups) < 2.5 * sum(lengths) / budget + 20  # too many groups are too many calls


@pytest.fixture(scope="module")
def finder(tiny_model: Path, schema: LabelSchema) -> Extractor:
    """The random model, made to see a few wide spans and many relations; nothing is clustered."""
    model = IsnadModel.from_pretrained(tiny_model)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        model.span_head.biaffine.normal_(std=0.6, generator=generator)
        model.span_head.width.weight[:2], model.span_head.width.weight[2:] = -9.5, -12
        model.relation_head.output.bias.fill_(0.0)
    lone = replace(schema, entities=tuple(replace(e, corefers=False) for e in schema.entities))
    model.config.labels, model.config.max_candidates = lone.to_dict(), 8
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, local_files_only=True)
    backend = TorchBackend(model, tokenizer.pad_token_id)
    return Extractor(backend, model.config, tokenizer, thresholds=dict.fromkeys(lone.relation_labels, 0.3))


Found = tuple[Counter[tuple[int, int, str]], Counter[tuple[int, str, int]]]


def _found(document: Document, offset: int = 0) -> Found:
    by_id = document.by_id()
    entities = Counter((e.start + offset, e.end + offset, e.label) for e in document.entities)
    relations = Counter(
        (by_id[r.head].start + offset, r.label, by_id[r.tail].start + offset) for r in document.relations
    )
    return entities, relations


def test_fifty_thousand_words_lose_nothing_against_their_paragraphs(finder: Extractor, root: Path) -> None:
    files = sorted((root / "seeds/authored").glob("*.txt"))
    text = "\n".join(f.read_text(encoding="utf-8") for f in files)
    text = " ".join(text.split(" ")[:49_000]) + "\n" + "كلمة " * 2000  # with one line of 2,000 words
    assert len(text.split()) >= 50_000
    whole = _found(finder(text))
    spans = paragraphs(text)
    parts: Found = (Counter(), Counter())
    for (low, _), document in zip(spans, finder.pipe(text[lo:hi] for lo, hi in spans), strict=True):
        for total, found in zip(parts, _found(document, low), strict=True):
            total.update(found)
    assert sum(whole[0].values()) > 5_000 and sum(whole[1].values()) > 1_000
    # The two differ in how windows are batched, so a score may differ in its last bits and cross a threshold.
    for one, other in zip(whole, parts, strict=True):
        assert sum(((one - other) + (other - one)).values()) <= 4


def test_a_span_across_a_cut_is_found_once(finder: Extractor) -> None:
    text = " ".join(f"كلمة {'بتثجحخدذرزسش'[i % 12]}ا {i}" for i in range(700))
    windows = list(finder._maker.windows(text))
    document = finder(text)
    cuts = [w.words[w.core[1] - 1][1] for w in windows[:-1]]
    assert len(windows) > 20
    assert [e for e in document.entities if any(e.start < cut < e.end for cut in cuts)]
    assert len({(e.start, e.end) for e in document.entities}) == len(document.entities)


def test_words_that_came_before_get_the_same_pieces(tiny_model: Path, articles: list[Document]) -> None:
    """Whatever was read earlier, in this text or in another: with diacritics, kashida, emoji and one word twice."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, local_files_only=True)
    texts = [*(a.text for a in articles), "قاآني وقاآني وَقاآنــي ٢٠٢٤ 😀 قاآني 😀", "ﷺ ﻻ لا"]
    fresh = [[w.input_ids for w in WindowMaker(tokenizer).windows(text)] for text in texts]
    maker = WindowMaker(tokenizer)
    for _ in range(2):
        assert [[w.input_ids for w in maker.windows(text)] for text in texts] == fresh
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isnad.model.windows._WORDS_KNOWN", 50)  # so that it forgets all the time
        maker = WindowMaker(tokenizer)
        assert [[w.input_ids for w in maker.windows(text)] for text in reversed(texts)] == fresh[::-1]
        assert len(maker._known) < len({t[s:e] for t in texts for s, e in words(t)})
    assert pickle.loads(pickle.dumps(maker))._known == {}
