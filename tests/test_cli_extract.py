"""`isnad extract` on real articles: every format, every way of reading, thresholds."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.training.data import read_documents
from typer.testing import Result

ROOT = Path(__file__).resolve().parents[1]
ARTICLES = sorted((ROOT / "seeds/articles").glob("*.txt"))
SHORT = "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي.\nثم سافر إلى بيروت للقاء حسن نصرالله."

Command = Callable[..., Result]
Refused = Callable[..., None]


def strip(text: str) -> str:
    """Return terminal output without the invisible marks that keep Arabic cells in place."""
    return re.sub("[\u200e\u2068\u2069]", "", text)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two articles, one of them in a subfolder, and things that are no texts."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "more").mkdir()
    for source, name in ((ARTICLES[0], "قاآني.txt"), (ARTICLES[2], "more/second.txt")):
        (folder / name).write_bytes(source.read_bytes())
    (folder / "notes.md").write_text("# no text\n", encoding="utf-8")
    (folder / ".hidden.txt").write_bytes(b"\xff\xfe")
    return folder


@pytest.fixture(scope="module")
def found(texts: Path, tiny_model: Path) -> list[Document]:
    """What the model finds in `texts`, asked without the command line."""
    from isnad.model.inference import Extractor

    extractor = Extractor.from_pretrained(tiny_model)
    names = ("more/second", "قاآني")
    return list(extractor.pipe((n, (texts / f"{n}.txt").read_bytes().decode()) for n in names))


class TestExtract:
    def test_table(self, isnad: Command, texts: Path, tiny_model: Path, found: list[Document]):
        result = isnad("extract", "-m", tiny_model, texts)
        assert result.exit_code == 0, result.stderr
        out = strip(result.stdout)
        for document in found:
            assert f"{document.id}  {len(document.text):,} characters" in out
            assert f"entities ({len(document.entities)})" in out
            assert document.relations and f"relations ({len(document.relations)})" in out
            assert f"clusters ({len(document.clusters)})" in out
            assert document.entities and document.clusters
            for entity in document.entities[:10]:
                assert re.search(rf"│ {entity.id} .*│ +{entity.start} │ +{entity.end} │", out)
        assert "\x1b" not in out

    def test_jsonl_is_what_the_model_finds(
        self, isnad: Command, texts: Path, tiny_model: Path, found: list[Document]
    ):
        result = isnad("extract", "-m", tiny_model, texts, "--format", "jsonl")
        assert result.exit_code == 0
        assert [json.loads(line) for line in result.stdout.splitlines()] == [d.to_dict() for d in found]
        assert result.stderr == ""

    def test_json_is_an_object_or_an_array(
        self, isnad: Command, texts: Path, tiny_model: Path, found: list[Document]
    ):
        one = isnad("extract", "-m", tiny_model, texts / "more/second.txt", "-f", "json")
        assert json.loads(one.stdout) == found[0].to_dict() | {"id": "second"}
        two = isnad("extract", "-m", tiny_model, texts, "-f", "json")
        assert json.loads(two.stdout) == [d.to_dict() for d in found]

    def test_brat_in_a_folder(
        self,
        isnad: Command,
        texts: Path,
        tiny_model: Path,
        found: list[Document],
        schema: LabelSchema,
        tmp_path: Path,
    ):
        out = tmp_path / "new" / "out"
        result = isnad("extract", "-m", tiny_model, texts, "--format", "brat", "-o", out)
        assert result.exit_code == 0 and result.stdout == ""
        assert f"wrote 4 files in {out}: 2 documents" in result.stderr
        files = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
        assert files == ["annotation.conf", "more/second.ann", "more/second.txt", "قاآني.ann", "قاآني.txt"]
        assert (out / "قاآني.txt").read_bytes() == ARTICLES[0].read_bytes()
        assert (out / "more/second.txt").read_bytes() == ARTICLES[2].read_bytes()
        read = {d.id: d for d in read_documents(out, format="brat", schema=schema)}
        for document in found:
            spans = [(e.start, e.end, e.label) for e in document.entities]
            assert sorted(spans) == sorted((e.start, e.end, e.label) for e in read[document.id].entities)
            assert len(read[document.id].relations) == len(document.relations)

    def test_brat_on_standard_output(
        self, isnad: Command, refused: Refused, texts: Path, tiny_model: Path, found: list[Document]
    ):
        result = isnad("extract", "-m", tiny_model, texts / "more/second.txt", "-f", "brat")
        assert result.stdout == found[0].to_brat()
        refused(isnad("extract", "-m", tiny_model, texts, "-f", "brat"), "2 texts", "-o")

    def test_html(self, isnad: Command, texts: Path, tiny_model: Path, found: list[Document], tmp_path: Path):
        page = tmp_path / "page.html"
        result = isnad("extract", "-m", tiny_model, texts, "-o", page)
        assert f"wrote {page}: 2 documents, " in result.stderr
        written = page.read_text(encoding="utf-8")
        assert written.count("<article") == 2 and "إسماعيل" in written
        # The schema gives the legend its Arabic descriptions.
        assert "اسم شخص" in written
        assert isnad("extract", "-m", tiny_model, texts, "-f", "html").stdout == written

    def test_csv(self, isnad: Command, texts: Path, tiny_model: Path, found: list[Document], tmp_path: Path):
        result = isnad("extract", "-m", tiny_model, texts, "-f", "csv", "-o", tmp_path / "out")
        assert result.exit_code == 0
        with (tmp_path / "out/entities.csv").open(encoding="utf-8", newline="") as file:
            entities = list(csv.DictReader(file))
        with (tmp_path / "out/relations.csv").open(encoding="utf-8", newline="") as file:
            relations = list(csv.DictReader(file))
        assert [(r["doc"], int(r["start"]), r["text"]) for r in entities] == [
            (d.id, e.start, e.text) for d in found for e in d.entities
        ]
        assert [(r["doc"], r["head"], r["relation"], r["tail"]) for r in relations] == [
            (d.id, r.head, r.label, r.tail) for d in found for r in d.relations
        ]
        shown = isnad("extract", "-m", tiny_model, texts, "-f", "csv").stdout
        assert list(csv.DictReader(io.StringIO(shown))) == entities

    def test_json_in_a_folder_and_jsonl_in_a_file(
        self, isnad: Command, refused: Refused, texts: Path, tiny_model: Path, tmp_path: Path
    ):
        assert isnad("extract", "-m", tiny_model, texts, "-f", "json", "-o", tmp_path / "a").exit_code == 0
        assert isnad("extract", "-m", tiny_model, texts, "-o", tmp_path / "b.jsonl").exit_code == 0
        assert isnad("extract", "-m", tiny_model, texts, "-f", "jsonl", "-o", tmp_path / "c").exit_code == 0
        lines = (tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines()
        assert (tmp_path / "c/documents.jsonl").read_text(encoding="utf-8").splitlines() == lines
        by_id = {d["id"]: d for d in map(json.loads, lines)}
        for id_ in ("قاآني", "more/second"):
            assert json.loads((tmp_path / f"a/{id_}.json").read_text(encoding="utf-8")) == by_id[id_]
        # What this wrote can be read back as annotated documents, but is not taken for gold.
        copied = isnad("convert", tmp_path / "b.jsonl", tmp_path / "back.jsonl", "--to", "jsonl")
        assert copied.exit_code == 0, copied.stderr
        assert (tmp_path / "back.jsonl").read_text(encoding="utf-8").splitlines() == lines
        refused(isnad("eval", tiny_model, tmp_path / "b.jsonl", "-f", "json"), "not what a person annotated")

    def test_standard_input(self, isnad: Command, refused: Refused, tiny_model: Path):
        result = isnad("extract", "-", "-m", tiny_model, "-f", "json", stdin=SHORT.encode())
        document = json.loads(result.stdout)
        assert document["text"] == SHORT and document["id"] == "stdin" and document["model"] == "tiny"
        for entity in document["entities"]:
            assert SHORT[entity["start"] : entity["end"]] == entity["text"]
        refused(isnad("extract", "-", "-", "-m", tiny_model), "named twice")

    def test_offsets_are_those_of_the_file(self, isnad: Command, tiny_model: Path, tmp_path: Path):
        """A byte order mark, CRLF, lone CR and emoji stay in the text, byte for byte."""
        data = "\ufeffالتقى قاآني 🇮🇶 قادةَ الحشـــد؛\r\nثم سافر إلى بيروت.\rوعاد.\u2028\r\n".encode()
        (tmp_path / "a.txt").write_bytes(data)
        result = isnad("extract", "-m", tiny_model, tmp_path / "a.txt", "-f", "brat", "-o", tmp_path / "out")
        assert result.exit_code == 0, result.stderr
        assert (tmp_path / "out/a.txt").read_bytes() == data
        result = isnad("extract", "-m", tiny_model, tmp_path / "a.txt", "-f", "json", "--threshold", "0.05")
        document = json.loads(result.stdout)
        text = data.decode()
        assert document["text"] == text and document["entities"]
        for e in document["entities"]:
            assert text[e["start"] : e["end"]] == e["text"]
            assert e["start"] > 0, "the byte order mark is no part of a name"

    def test_empty_and_blank_texts(self, isnad: Command, tiny_model: Path, tmp_path: Path):
        (tmp_path / "empty.txt").touch()
        (tmp_path / "blank.txt").write_text(" \n\t\n", encoding="utf-8")
        result = isnad("extract", "-m", tiny_model, tmp_path)
        assert result.exit_code == 0
        assert "empty  0 characters, 0 entities, 0 relations, 0 clusters" in result.stdout

    def test_same_names_are_told_apart(self, isnad: Command, tiny_model: Path, tmp_path: Path):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "x.txt").write_text(SHORT, encoding="utf-8")
        names = (tmp_path / "a/x.txt", tmp_path / "b/x.txt", tmp_path / "a")
        result = isnad("extract", "-m", tiny_model, *names, "-f", "jsonl")
        assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["x", "x-2", "x-3"]

    def test_thresholds(self, isnad: Command, tiny_model: Path):
        text = ARTICLES[0].read_text(encoding="utf-8")[:1000]

        def scores(*options: str) -> dict[str, list[float]]:
            result = isnad("extract", "-", "-m", tiny_model, "-f", "json", *options, stdin=text.encode())
            assert result.exit_code == 0, result.stderr
            kept: dict[str, list[float]] = {}
            for entity in json.loads(result.stdout)["entities"]:
                kept.setdefault(entity["label"], []).append(entity["score"])
            return kept

        default, low, high = scores(), scores("--threshold", "0.05"), scores("--threshold", "0.9")
        assert min(min(s) for s in high.values()) >= 0.9 > min(min(s) for s in default.values())
        assert sum(map(len, high.values())) < sum(map(len, default.values())) < sum(map(len, low.values()))
        label = max(low, key=lambda name: len(low[name]))
        assert label not in scores("--threshold", "0.05", "--threshold", f"{label}=1")
        assert scores("--threshold", f"{label}=0.9").get(label) == high.get(label)
        assert min(scores("--threshold", "1", "--threshold", f"{label}=0.05")) == label
