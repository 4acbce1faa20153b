"""What comes before pretraining: corpus streaming, tokenizer, shards, blocks and masking."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from isnad.model.encoder import PIECE_CHARS, char_table, reversed_positions
from isnad.model.errors import DataError
from isnad.model.folding import fold
from isnad.training.pretrain.corpus import mixture
from isnad.training.pretrain.mlm import PackedBlocks, ShuffledBlocks, WholeWordMasking
from isnad.training.pretrain.shards import ShardWriter, encode, find_stream
from isnad.training.pretrain.tokenizer import fertility, train_tokenizer
from torch.utils.data import DataLoader
from transformers import AutoTokenizer


@pytest.fixture(scope="module")
def texts(root: Path) -> list[str]:
    files = sorted((root / "seeds/authored").glob("*.txt"))[::20]
    return [line for file in files for line in [*file.read_text(encoding="utf-8").splitlines(), ""]]


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
    everything = WholeWordMasking(tokenizer, rate=0.3, masked=1.0, noise=0.0)([{"input_ids": ids}] * 8)
    assert (everything["input_ids"][everything["labels"] != -100] == tokenizer.mask_token_id).all()


def test_masking_depends_on_seed_and_position_alone(tokenizer) -> None:
    ids = np.asarray(tokenizer("والتقى إسماعيل قاآني قادة الفصائل في بغداد " * 8)["input_ids"])

    def masked(position: int, *, seed: int = 1, before: int = 0) -> list[list[int]]:
        masking = WholeWordMasking(tokenizer, seed=seed)
        for earlier in range(before):
            masking([{"input_ids": ids, "position": earlier}])
        return masking([{"input_ids": ids, "position": position}] * 4)["labels"].tolist()

    assert masked(40) == masked(40, before=3), "what was masked before does not matter"
    assert masked(40) != masked(44) and masked(40) != masked(40, seed=2)


def _write(folder: Path, tokenizer, lines: list[str], *, megabytes: int = 64, limit: int = 0) -> dict:
    writer = ShardWriter(folder, tokenizer, megabytes=megabytes)
    if limit:
        writer._limit = limit
    for ids in encode(lines, tokenizer, batch=7):
        writer.add(ids)
    return writer.close()


def test_shards_hold_every_piece_with_boundaries(tokenizer, texts, tmp_path: Path) -> None:
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    lines = ["زار الرئيس بغداد", "ثم عاد", "", "", "ـ", "وقال نصرالله", ""]
    _write(tmp_path, tokenizer, lines)
    expected = []
    for document in (["زار الرئيس بغداد", "ثم عاد"], ["وقال نصرالله"]):
        expected.append(cls)
        for paragraph in document:
            expected += [*tokenizer(paragraph, add_special_tokens=False)["input_ids"], sep]
    [path] = find_stream(tmp_path)
    stream = np.load(path, allow_pickle=False)
    assert stream.dtype == np.uint16 and stream.tolist() == expected


def test_shards_are_small_and_cut_between_documents(tokenizer, texts, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    content = _write(tmp_path / "one", tokenizer, texts)
    [single] = find_stream(tmp_path / "one")
    whole = np.load(single, allow_pickle=False)
    longest = max(np.diff(np.flatnonzero(np.append(whole, tokenizer.cls_token_id) == tokenizer.cls_token_id)))
    for limit in (int(longest) + 10, int(longest) // 3):
        folder = tmp_path / str(limit)
        folder.mkdir()
        again = _write(folder, tokenizer, texts, limit=limit)
        parts = [np.load(path, allow_pickle=False) for path in find_stream(folder)]
        assert len(parts) > 1 and max(map(len, parts)) <= limit
        assert np.concatenate(parts).tolist() == whole.tolist()
        assert (again["pieces"], again["documents"]) == (content["pieces"], content["documents"])
        if limit > longest:
            assert all(part[0] == tokenizer.cls_token_id for part in parts)
    real = ShardWriter(tmp_path, tokenizer, megabytes=64)
    assert 64_000_000 - 2 <= real._limit * 2 + 128 <= 64_000_000


def test_a_damaged_shard_is_refused(tokenizer, texts, tmp_path: Path) -> None:
    _write(tmp_path, tokenizer, texts)
    [path] = find_stream(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"stream-000\.npy is not what was written"):
        find_stream(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"stream-000\.npy is missing"):
        find_stream(tmp_path)


def test_shards_that_were_not_finished_do_not_count(tokenizer, texts, tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, tokenizer)
    writer._limit = 200
    for ids in encode(texts, tokenizer):
        writer.add(ids)
    assert list(tmp_path.iterdir()) and find_stream(tmp_path) == []


def test_blocks_over_one_file_and_over_shards(tmp_path: Path) -> None:
    np.save(tmp_path / "stream.npy", np.arange(25, dtype=np.uint16))
    [single] = find_stream(tmp_path)
    blocks = PackedBlocks(single, 4)
    assert len(blocks) == 6 and blocks[5]["input_ids"].tolist() == [20, 21, 22, 23]
    assert blocks[0]["input_ids"].dtype == np.int64
    paths = []
    for number, (lo, hi) in enumerate([(0, 9), (9, 12), (12, 25)]):
        paths.append(tmp_path / f"part-{number}.npy")
        np.save(paths[-1], np.arange(lo, hi, dtype=np.uint16))
    found = [PackedBlocks(paths, 4)[n]["input_ids"].tolist()[0] for n in range(len(PackedBlocks(paths, 4)))]
    assert found == [0, 4, 12, 16, 20], "a block never spans two shards"
    with pytest.raises(IndexError):
        PackedBlocks(paths, 4)[5]


def test_every_pass_reads_every_block_in_another_order(tmp_path: Path) -> None:
    np.save(tmp_path / "stream.npy", np.arange(40, dtype=np.uint16))
    blocks = PackedBlocks(tmp_path / "stream.npy", 4)
    data = ShuffledBlocks(blocks, seed=3, size=10**12)
    order = [int(data[n]["input_ids"][0]) // 4 for n in range(20)]
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10)) and order[:10] != order[10:]
    fresh = ShuffledBlocks(blocks, seed=3, size=10**12)
    assert [int(fresh[n]["input_ids"][0]) // 4 for n in range(17, 20)] == order[17:]
    few = ShuffledBlocks(blocks, seed=3, size=9, count=2)
    assert {int(few[n]["input_ids"][0]) for n in range(9)} == {0, 4}


def test_worker_processes_mask_the_same(tokenizer, texts, tmp_path: Path) -> None:
    _write(tmp_path, tokenizer, texts)
    data = ShuffledBlocks(PackedBlocks(find_stream(tmp_path), 16), seed=1, size=32)
    batches = [
        [b["labels"] for b in DataLoader(data, 8, collate_fn=WholeWordMasking(tokenizer), num_workers=n)]
        for n in (0, 2)
    ]
    assert len(batches[0]) == 4
    assert all(torch.equal(a, b) for a, b in zip(*batches, strict=True))


def test_reversing_keeps_padding_in_place() -> None:
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])
    assert reversed_positions(mask).tolist() == [[2, 1, 0, 3], [0, 1, 2, 3]]


def test_the_list_of_shards_is_readable_by_others(tokenizer, texts, tmp_path: Path) -> None:
    _write(tmp_path, tokenizer, texts)
    content = json.loads((tmp_path / "stream.json").read_text(encoding="utf-8"))
    assert content["pieces"] == sum(s["pieces"] for s in content["shards"])
    assert {"file", "pieces", "bytes", "sha256"} == set(content["shards"][0])
