"""Pretraining: corpus streaming, tokenizer, vectors, masking, and the whole recipe on a handful of articles."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from isnad.model.encoder import PIECE_CHARS, IsnadEncoderModel, char_table, reversed_positions
from isnad.model.folding import fold
from isnad.training.pretrain.corpus import mixture
from isnad.training.pretrain.mlm import WholeWordMasking, pack
from isnad.training.pretrain.recipe import PretrainConfig, pretrain
from isnad.training.pretrain.tokenizer import fertility, train_tokenizer
from transformers import AutoModel, AutoTokenizer


@pytest.fixture(scope="module")
def texts(root: Path) -> list[str]:
    files = sorted((root / "seeds/authored").glob("*.txt"))[::20]
    return [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def tokenizer(texts: list[str]):
    return train_tokenizer(texts, vocab_size=1500, min_frequency=2)


def test_a_weight_keeps_whole_documents(tmp_path: Path) -> None:
    file = tmp_path / "corpus.txt"
    file.write_text("".join(f"وثيقة {n} أ\nوثيقة {n} ب\n\n" for n in range(10)), encoding="utf-8")
    assert sum(bool(line) for line in mixture([(file, 1.0)])) == 20
    assert sum(bool(line) for line in mixture([(file, 2.0)])) == 40
    half = [line for line in mixture([(file, 0.5)]) if line]
    assert len(half) == 10
    numbers = [line.split()[1] for line in half]
    assert all(numbers.count(n) == 2 for n in numbers), "a document is kept whole or not at all"


def test_zstd_is_read_across_frames_and_a_cut_character(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    compressor = zstandard.ZstdCompressor()
    file = tmp_path / "corpus.txt.zst"
    data = compressor.compress("بغداد\n\n".encode()) + compressor.compress("بيروت".encode()[:-1])
    file.write_bytes(data)
    assert [line for line in mixture([(file, 1.0)]) if line] == ["بغداد", "بيرو\ufffd"]


def test_spelling_variants_give_the_same_pieces(tokenizer) -> None:
    plain = tokenizer.tokenize("زار إسماعيل قاآني العراق في 2024")
    for variant in (
        "زارَ إسماعيلُ قاآني العِراقَ في 2024",
        "زار إسمـاعيل قاآنى العـراق في ٢٠٢٤",
        "زار \u200fاسماعيل\u200c قااني العراق\u061c في 2024",
    ):
        assert tokenizer.tokenize(variant) == plain
    assert tokenizer.unk_token not in plain


def test_the_tokenizer_survives_saving(tokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    text = "ولِلعراق «فيلـق القدس» ﻻ ٢٠"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_fertility_counts_pieces_of_words(tokenizer, tmp_path: Path) -> None:
    file = tmp_path / "news.txt"
    file.write_text("زار الرئيس بغداد\nوعاد إلى بيروت\n", encoding="utf-8")
    report = fertility(tokenizer, file)
    pieces = sum(len(tokenizer.tokenize(line)) for line in file.read_text(encoding="utf-8").splitlines())
    assert report["words"] == 6
    assert report["pieces_per_word"] == pytest.approx(pieces / 6)


def test_the_characters_of_a_piece(tokenizer) -> None:
    table = char_table(["[PAD]", "##ان", "بغداد", "ب" * 40])
    spelled = ["".join(table.alphabet[i - 1] for i in row if i) for row in table.ids.tolist()]
    assert spelled == ["", "ان", "بغداد", "ب" * PIECE_CHARS]


def test_masking_takes_whole_words(tokenizer) -> None:
    ids = np.asarray(tokenizer(fold("والتقى إسماعيل قاآني قادة الفصائل في بغداد ") * 8)["input_ids"])
    masking = WholeWordMasking(tokenizer, rate=0.3, seed=4)
    batch = masking([{"input_ids": ids}] * 64)
    labels, inputs = batch["labels"].numpy(), batch["input_ids"].numpy()
    pieces = tokenizer.convert_ids_to_tokens(ids.tolist())
    continues = np.asarray([p.startswith("##") for p in pieces])
    chosen = labels != -100
    assert (labels[chosen] == np.tile(ids, (64, 1))[chosen]).all()
    assert (chosen[:, 1:] == chosen[:, :-1])[:, continues[1:]].all(), (
        "a word is predicted whole or not at all"
    )
    special = np.isin(ids, tokenizer.all_special_ids)
    assert not chosen[:, special].any()
    assert 0.25 < chosen[:, ~special].mean() < 0.35
    assert 0.7 < (inputs[chosen] == tokenizer.mask_token_id).mean() < 0.9
    assert (inputs[~chosen] == np.tile(ids, (64, 1))[~chosen]).all()


def test_packing_keeps_every_piece(tmp_path: Path) -> None:
    pieces = tmp_path / "pieces.txt"
    pieces.write_text("5 6 7\n8\n", encoding="ascii")
    assert pack(pieces, tmp_path / "stream.npy", 3) == 6
    assert np.load(tmp_path / "stream.npy", allow_pickle=False).tolist() == [5, 6, 7, 3, 8, 3]


def test_reversing_keeps_padding_in_place() -> None:
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])
    assert reversed_positions(mask).tolist() == [[2, 1, 0, 3], [0, 1, 2, 3]]


def test_the_recipe_leaves_an_ordinary_checkpoint_and_is_not_run_twice(texts, tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(texts) + "\n", encoding="utf-8")
    config = PretrainConfig(
        tokenizer_texts={str(corpus): 1.0},
        vector_texts={str(corpus): 1.0},
        fertility_text=str(corpus),
        vocab_size=900,
        vectors={"dim": 16, "workers": 1},
        encoder={"recurrent_size": 12, "hidden_size": 24, "num_hidden_layers": 1, "char_filters": 8},
        block_size=32,
        batch_size=8,
        steps=60,
        learning_rate=0.01,
        warmup_steps=2,
        save_steps=30,
    )
    folder = pretrain(config, tmp_path / "run")
    encoder = AutoModel.from_pretrained(folder, local_files_only=True)
    assert isinstance(encoder, IsnadEncoderModel)
    assert encoder.characters is not None and int(encoder.characters.piece_chars.sum()) > 0
    history = json.loads((folder / "pretraining.json").read_text())
    losses = [row["loss"] for row in history if "loss" in row]
    assert float(losses[-1]) < float(losses[0])
    assert not [p for p in (tmp_path / "run").rglob("*") if p.suffix in (".bin", ".pt", ".pth", ".pkl")]
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert pretrain(config, tmp_path / "run") == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
