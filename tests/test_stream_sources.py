"""The sources of streams: every kind of file, taken up anywhere; keys; lines and files that are damaged."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from isnad.model.errors import ConfigError, DataError
from isnad.model.stream import Keys, Mark, Record, find_sources, read
from isnad.model.stream import lines as lines_module

# Diacritics, kashida, line ends inside, emoji, presentation forms, both kinds of digits, a joined name.
TEXTS = [
    "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي.",
    'ثم سافرَ إلى بيـــروت للقاء حسن نصرالله ٢٠٢٠.\r\nوعاد، "قائلاً": نعم؛',
    "زار ﷴ بغداد 🇮🇶 ولقاآني 15 قائداً",
    "",
    "وصل وزير الخارجية الإيراني إلى دمشق,ثم بيروت",
    "لا شيء",
    "قال حسن نصر الله إن إسرائيل قتلت قاسم سليماني في العراق",
]
ROWS = [{"id": f"خبر-{n}", "text": text, "title": "عنوان"} for n, text in enumerate(TEXTS)]


def jsonl(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def write_input(folder: Path, kind: str) -> Path:
    """Write the rows in one of the forms that are read."""
    path = folder / f"news.{kind}"
    if kind.startswith("jsonl"):
        path.write_bytes(packed(b"\xef\xbb\xbf" + jsonl(ROWS), kind))
    elif kind.startswith(("csv", "tsv")):
        with (folder / "plain").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("id", "title", "text"), delimiter="\t" if kind == "tsv" else ";")
            writer.writeheader()
            writer.writerows(ROWS)
        path.write_bytes(packed((folder / "plain").read_bytes(), kind))
        (folder / "plain").unlink()
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = pytest.importorskip("pyarrow").Table.from_pylist(ROWS)
        parquet.write_table(table, path, row_group_size=3)
    return path


def packed(data: bytes, kind: str) -> bytes:
    if kind.endswith(".gz"):
        return gzip.compress(data[:400]) + gzip.compress(data[400:])  # as `cat a.gz b.gz` makes it
    if kind.endswith(".zst"):
        compress = pytest.importorskip("zstandard").ZstdCompressor().compress
        return compress(data[:400]) + compress(data[400:])
    return data


START = Mark()


def records(*names: Path, start: Mark = START, **keys: Any) -> list[Record]:
    sources = find_sources([str(name) for name in names], Keys(**keys))
    for source in sources:
        source.check()
    return list(read(sources, start))


KINDS = ["jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "tsv", "parquet"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_can_be_left_and_taken_up_anywhere(kind: str, tmp_path: Path) -> None:
    path = write_input(tmp_path, kind)
    whole = records(path)
    assert [(r.id, r.text, r.error) for r in whole] == [(r["id"], r["text"], "") for r in ROWS]
    assert whole[-1].done == path.stat().st_size
    for n, record in enumerate(whole):
        assert records(path, start=record.mark) == whole[n + 1 :]


def test_folders_are_walked_in_order(tmp_path: Path) -> None:
    names = ["b/2.txt", "b/10.txt", "a.txt", "c/d/e.txt", "b.x.txt", ".hidden/f.txt", "notes.md", "c/.g.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"نص\r\n{name}", encoding="utf-8", newline="")
    whole = records(tmp_path)
    assert [r.id for r in whole] == ["a", "b/10", "b/2", "b.x", "c/d/e"]
    assert all(r.text == f"نص\r\n{r.id}.txt" for r in whole)
    for n, record in enumerate(whole):
        assert records(tmp_path, start=record.mark) == whole[n + 1 :]
    (tmp_path / "b/1.txt").write_text("جديد", encoding="utf-8")
    with pytest.raises(DataError, match=r"files came or went.*file 2 is b/1.txt, and was b/10.txt"):
        records(tmp_path, start=whole[1].mark)


def test_several_inputs_follow_each_other(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_bytes(jsonl([{"text": "نص"}]))
        (tmp_path / name / "texts").mkdir()
        (tmp_path / name / "texts/t.txt").write_text("نص", encoding="utf-8")
    x, y = tmp_path / "x", tmp_path / "y"
    found = records(x / "a.jsonl", y, x / "texts", y / "texts")
    # A folder with data files stands for those; ids stay apart.
    assert [r.id for r in found] == [f"{x}/a.jsonl:1", f"{y}/a.jsonl:1", f"{x}/texts/t", f"{y}/texts/t"]
    assert [r.mark.source for r in found] == [0, 1, 2, 3]
    with pytest.raises(DataError, match="named twice"):
        records(x / "a.jsonl", x)


def test_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"article": {"body": "نص"}, "n": 7}, {"article": {"body": "نص"}}]))
    assert [r.id for r in records(path, text="article.body")] == ["a.jsonl:1", "a.jsonl:2"]
    one, two = records(path, text="article.body", id="n", id_needed=True)
    assert (one.id, one.error) == ("7", "") and two.error.startswith("no id under 'n'")
    with pytest.raises(ConfigError, match=r"a.jsonl: no key 'text'; there are: article, n; .*--text-key"):
        records(path)
    (tmp_path / "b.csv").write_text("id,txet\n1,نص\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no column 'text'; did you mean 'txet'\?"):
        records(tmp_path / "b.csv")


BAD = [
    (b'\xd8"\n', "byte 0xd8 at offset 0 is not UTF-8"),
    (b"[1]\n", "found list"),
    (b'{"id": 1}\n', "no key 'text'; there are: id"),
    (b'{"text": null}\n', "the text is null"),
    (b'{"text": ["a"]}\n', "the text is of type list"),
    (b'{"text": "a", "id": true}\n', "the id is of type bool"),
    (b'{"text": "a"\n', "not JSON: "),
    (b"[" * 100_000 + b"\n", "not JSON: "),
]


def test_bad_lines_of_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "LONGEST", 200_000)
    long = b'{"text": "' + b"a" * 900_000 + b'"}\n'
    path = tmp_path / "a.jsonl"
    good = jsonl([{"text": "نص"}])
    path.write_bytes(good.join([b"", *(line for line, _ in BAD), long, b""]))
    whole = records(path)
    assert [r.text for r in whole[::2]] == ["نص"] * (len(BAD) + 2)
    for record, (_, message) in zip(whole[1::2], [*BAD, (long, "a line is longer than")], strict=True):
        assert message in record.error and record.text == "" and record.id in ("1", record.where)
    for n, record in enumerate(whole):
        assert records(path, start=record.mark) == whole[n + 1 :]


def test_bad_rows_of_csv_and_cut_files(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('id,text\n1,"سطر\nوسطر"\n2\n3,\n'.encode() + b'4,\xff\n5,"x"y\n6,"never\nends\n')
    whole = records(path)
    assert [(r.id, r.text) for r in whole if not r.error] == [("1", "سطر\nوسطر"), ("3", "")]
    errors = [(r.where, r.error) for r in whole if r.error]
    assert errors[0] == ("a.csv:4", "found 1 cells; accepted: 2, as in the header")
    assert errors[1] == ("a.csv:6", "byte 0xff in the column 'text' is not UTF-8")
    assert errors[2][0] == "a.csv:7" and errors[3][1].endswith("(up to line 9)")
    for name in ("b.jsonl.gz", "b.jsonl.zst"):
        many = jsonl([{"text": f"نص {n} {n * 7919 % 1009}"} for n in range(40_000)])
        (tmp_path / name).write_bytes(packed(many, name)[:-2000])
        cut = records(tmp_path / name, tmp_path / "a.csv")
        lost = next(n for n, r in enumerate(cut) if r.error)
        assert lost > 20_000 and f"nothing after line {lost} could be read" in cut[lost].error
        assert cut[lost + 1].where == "a.csv:2" and cut[lost].mark == Mark(1)


def test_damaged_row_groups_and_cells_of_parquet(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    texts = [f"خبر {n} ".encode() * 50 for n in range(9)]
    texts[1] = b"\xd8\xff"
    table = pa.table({"text": pa.array(texts).view(pa.string()), "id": list(range(9))})
    path = tmp_path / "a.parquet"
    options = {"row_group_size": 3, "use_dictionary": False, "write_page_checksum": True}
    parquet.write_table(table, path, **options)
    column = parquet.ParquetFile(path).metadata.row_group(1).column(0)
    with path.open("r+b") as file:
        file.seek(column.data_page_offset)
        file.write(b"\xff" * 40)
    whole = records(path)
    assert [r.id for r in whole if not r.error] == ["0", "2", "6", "7", "8"]
    assert "byte 0xd8 at offset 0 is not UTF-8" in whole[1].error
    assert whole[3].where == "a.parquet:4" and whole[3].error.endswith("rows 4 to 6 are lost")
    for n, record in enumerate(whole):
        assert records(path, start=record.mark) == whole[n + 1 :]
