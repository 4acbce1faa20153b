"""`isnad extract` on many documents: parts in every format, bad documents, what is refused."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isnad.cli.support import PARTLY
from isnad.model.document import Document
from isnad.model.inference import Extractor
from isnad.model.schema import LabelSchema
from isnad.training.data import read_documents
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]

# Diacritics, kashida, line ends inside, emoji, presentation forms, both kinds of digits, a joined name.
TEXTS = [
    "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي.",
    'ثم سافرَ إلى بيـــروت للقاء حسن نصرالله ٢٠٢٠.\r\nوعاد، "قائلاً": نعم؛',
    "زار ﷴ بغداد 🇮🇶 ولقاآني 15 قائداً",
    "",
    sorted((Path(__file__).resolve().parents[1] / "seeds/articles").glob("*.txt"))[0].read_text(
        encoding="utf-8"
    ),
    "لا شيء",
    "قال حسن نصر الله إن إسرائيل قتلت قاسم سليماني في العراق",
]
ROWS = [{"id": f"خبر-{n}", "text": text, "title": "عنوان"} for n, text in enumerate(TEXTS)]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def found(tiny_model: Path) -> list[Document]:
    """What the model finds, asked without streams."""
    documents = list(Extractor.from_pretrained(tiny_model).pipe([(r["id"], r["text"]) for r in ROWS]))
    assert sum(len(d.relations) for d in documents) > 3 and any(d.clusters for d in documents)
    return documents


def jsonl(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def write_input(folder: Path, kind: str) -> Path:
    """Write the rows in one of the forms that are read."""
    path = folder / f"news.{kind}"
    if kind == "jsonl":
        path.write_bytes(jsonl(ROWS))
    elif kind == "csv.gz":
        with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("id", "title", "text"))
            writer.writeheader()
            writer.writerows(ROWS)
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pytest.importorskip("pyarrow").Table.from_pylist(ROWS), path, row_group_size=3)
    return path


def parts(folder: Path, pattern: str = "part-*.jsonl") -> list[dict[str, Any]]:
    return [
        json.loads(line) for path in sorted(folder.glob(pattern)) for line in path.read_bytes().splitlines()
    ]


@pytest.mark.parametrize("kind", ["jsonl", "csv.gz", "parquet"])
def test_parts_hold_what_the_model_finds(
    isnad: Command, kind: str, tiny_model: Path, found: list[Document], tmp_path: Path
) -> None:
    path, out = write_input(tmp_path, kind), tmp_path / "out"
    result = isnad("extract", path, "-m", tiny_model, "-o", out, "--part-size", 3)
    assert result.exit_code == 0 and result.stdout == "", result.output
    relations = sum(len(d.relations) for d in found)
    assert "wrote 7 documents, " in result.stderr and f"{relations:,} relations in 3 parts" in result.stderr
    assert parts(out) == [d.to_dict() for d in found]
    assert sorted(p.name for p in out.iterdir()) == [
        "_manifest.jsonl",
        *(f"part-0000{n}.jsonl" for n in range(3)),
    ]
    manifest = parts(out, "_manifest.jsonl")
    assert [line["counts"]["documents"] for line in manifest[1:-1]] == [3, 3, 1]
    assert manifest[-1]["complete"] is True and manifest[-1]["counts"]["words"] == sum(
        len(text.split()) for text in TEXTS
    )


def test_parquet_is_what_the_format_datasets_reads(
    isnad: Command, tiny_model: Path, found: list[Document], schema: LabelSchema, tmp_path: Path
) -> None:
    pytest.importorskip("datasets")
    from isnad.model.columns import arrow_schema
    from isnad.training.data.hub import features

    assert arrow_schema() == features().arrow_schema.remove_metadata()
    path, out = write_input(tmp_path, "jsonl"), tmp_path / "out"
    command = ("extract", path, "-m", tiny_model, "-o", out, "-f", "parquet", "--part-size", 4)
    assert isnad(*command).exit_code == 0
    again = read_documents(out, format="datasets", schema=schema)
    assert [d.to_dict() for d in again] == [d.to_dict() for d in found]


def test_triples_and_mentions_in_csv(
    isnad: Command, tiny_model: Path, found: list[Document], tmp_path: Path
) -> None:
    path, out = write_input(tmp_path, "jsonl"), tmp_path / "out"
    assert isnad("extract", path, "-m", tiny_model, "-o", out, "-f", "csv", "--part-size", 2).exit_code == 0

    def rows(pattern: str) -> list[dict[str, str]]:
        files = sorted(out.glob(pattern))
        assert len(files) == 4
        return [row for file in files for row in csv.DictReader(file.open(encoding="utf-8", newline=""))]

    assert [(r["doc"], int(r["start"]), int(r["end"]), r["text"]) for r in rows("*.entities.csv")] == [
        (d.id, e.start, e.end, e.text) for d in found for e in d.entities
    ]
    triples = [
        (
            d.id,
            d.entity(r.head).name,
            r.label,
            d.entity(r.tail).name,
            str(d.entity(r.tail).start),
            f"{r.score:.4f}",
        )
        for d in found
        for r in d.relations
    ]
    columns = ("doc", "head_name", "relation", "tail_name", "tail_start", "score")
    assert [tuple(r[c] for c in columns) for r in rows("*.relations.csv")] == triples


def test_bad_documents_are_listed_and_the_rest_goes_on(
    isnad: Command, tiny_model: Path, found: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isnad.model.windows import WindowMaker

    whole = WindowMaker.batch

    def batch(self: WindowMaker, texts: list[str]) -> Any:
        if TEXTS[5] in texts:
            raise MemoryError("كبير")
        return whole(self, texts)

    monkeypatch.setattr(WindowMaker, "batch", batch)
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    path.write_bytes(jsonl(ROWS) + b"\xff\n" + json.dumps({"id": "half", "text": "ب\ud83d"}).encode())
    command = ("extract", path, "-m", tiny_model, "-o", out, "-f", "parquet", "--part-size", 4)
    result = isnad(*command)
    assert result.exit_code == PARTLY == 3
    assert "wrote 6 documents, " in result.stderr and "3 bad documents are listed in" in result.stderr
    errors = parts(out, "_errors-*.jsonl")
    assert [(e["id"], e["where"], e["error"]) for e in errors[:2]] == [
        ("خبر-5", "a.jsonl:6", "MemoryError: كبير"),
        ("a.jsonl:8", "a.jsonl:8", "byte 0xff at offset 0 is not UTF-8"),
    ]
    assert errors[2]["id"] == "half" and "half of a surrogate pair" in errors[2]["error"]
    import pyarrow.parquet

    ids = [
        i
        for file in sorted(out.glob("*.parquet"))
        for i in pyarrow.parquet.read_table(file)["id"].to_pylist()
    ]
    assert ids == [d.id for d in found if d.id != "خبر-5"]
    # A run that is complete says so again, and does nothing.
    again = isnad(*command)
    assert again.exit_code == 3 and "complete already (--overwrite begins anew): 6 documents" in again.stderr


def test_max_errors(isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    path.write_bytes(jsonl(ROWS[:3]) + b"\xff\n" + jsonl(ROWS[3:]) + b"\xff\n")
    command = ("extract", path, "-m", tiny_model, "-o", out, "--part-size", 3, "--max-errors")
    refused(isnad(*command, 0), "1 bad documents, the last one a.jsonl:4: byte 0xff", "accepted: 0")
    assert sorted(p.name for p in out.iterdir()) == ["_manifest.jsonl", "part-00000.jsonl"]
    result = isnad(*command, 2)
    assert result.exit_code == 3 and "going on after 1 parts: 3 documents" in result.stderr
    assert [d["id"] for d in parts(out)] == [r["id"] for r in ROWS]


def test_a_broken_machine_is_no_bad_document(
    isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error")

    monkeypatch.setattr(Extractor, "_batch", broken)
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"text": "نص"}] * 300))
    refused(
        isnad("extract", path, "-m", tiny_model, "-o", tmp_path / "out"),
        "extraction failed on 200 documents in a row, lastly with RuntimeError: CUDA error",
    )
    assert not (tmp_path / "out").exists()


def test_standard_output(isnad: Command, tiny_model: Path, found: list[Document], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(ROWS) + b"x\n")
    result = isnad("extract", path, "-m", tiny_model, "-f", "jsonl")
    assert result.exit_code == 3 and result.stderr.startswith("a.jsonl:8: not JSON")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [d.to_dict() for d in found]
    table = isnad("extract", path, "-m", tiny_model)
    assert f"entities ({len(found[0].entities)})" in table.stdout


def test_what_is_refused(isnad: Command, refused: Refused, tmp_path: Path) -> None:
    path, none = write_input(tmp_path, "jsonl"), tmp_path / "none"
    refused(
        isnad("extract", path, "-o", tmp_path / "x.jsonl"), "is a file", "accepted: a folder", f"{tmp_path}/x"
    )
    refused(
        isnad("extract", path, "-o", none, "-f", "brat"), "brat is for single texts", "jsonl, parquet, csv"
    )
    refused(isnad("extract", path, "-f", "csv"), "name a folder with -o")
    refused(isnad("extract", path, "-o", tmp_path), "holds the input", "another folder")
    refused(isnad("extract", path, path, "-o", none), "news.jsonl: named twice")
    refused(isnad("extract", "-", "--stream", "-o", none), "standard input cannot be read twice")
    refused(isnad("extract", tmp_path / "no.csv", "-o", none), "no.csv: no such file")
    refused(
        isnad("extract", path, "-o", none, "--text-key", "body"), "no key 'body'; there are: id, text, title"
    )
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    refused(isnad("extract", tmp_path / "bad.parquet", "-o", none), "not a parquet file")
    assert not none.exists()
