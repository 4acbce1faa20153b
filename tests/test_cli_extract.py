"""`isnad extract` on real articles: every format, every way of reading, and what users do wrong."""

import csv
import io
import json
import os
import re
import shutil
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
            assert f"relations ({len(document.relations)})" in out
            assert f"clusters ({len(document.clusters)})" in out
            assert document.entities and document.relations and document.clusters
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
        self, isnad: Command, texts: Path, tiny_model: Path, tmp_path: Path
    ):
        assert isnad("extract", "-m", tiny_model, texts, "-f", "json", "-o", tmp_path / "a").exit_code == 0
        assert isnad("extract", "-m", tiny_model, texts, "-o", tmp_path / "b.jsonl").exit_code == 0
        assert isnad("extract", "-m", tiny_model, texts, "-f", "jsonl", "-o", tmp_path / "c").exit_code == 0
        lines = (tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines()
        assert (tmp_path / "c/documents.jsonl").read_text(encoding="utf-8").splitlines() == lines
        by_id = {d["id"]: d for d in map(json.loads, lines)}
        for id_ in ("قاآني", "more/second"):
            assert json.loads((tmp_path / f"a/{id_}.json").read_text(encoding="utf-8")) == by_id[id_]
        # What this wrote can be read back as annotated documents.
        assert isnad("eval", tiny_model, tmp_path / "b.jsonl", "-f", "json").exit_code == 0

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


class TestExtractFaults:
    @pytest.mark.parametrize(
        ("data", "place", "advice"),
        [
            (
                "بغداد\nبيروت".encode("cp1256"),
                "byte 0xc8 at offset 0 (line 1)",
                "iconv -f WINDOWS-1256 -t UTF-8",
            ),
            ("بغداد\n".encode() + b"\xed\xa0\x80", "byte 0xed at offset 11 (line 2)", "iconv"),
            ("بغداد".encode("utf-16"), "byte 0xff at offset 0 (line 1)", "iconv -f UTF-16 -t UTF-8"),
        ],
        ids=["windows-1256", "surrogate", "utf-16"],
    )
    def test_bytes_that_are_not_utf8(
        self, isnad: Command, refused: Refused, data: bytes, place: str, advice: str, tmp_path: Path
    ):
        # There is no model at all here: the fault is found before one is loaded.
        (tmp_path / "bad.txt").write_bytes(data)
        result = isnad("extract", "-m", tmp_path / "none", tmp_path / "bad.txt")
        refused(result, str(tmp_path / "bad.txt"), place, "is not UTF-8", advice)
        refused(isnad("extract", "-", stdin=data), "standard input: byte", advice)

    def test_missing_inputs(self, isnad: Command, refused: Refused, tmp_path: Path):
        refused(isnad("extract", tmp_path / "no.txt"), "no.txt: no such file or folder", "or -")
        refused(isnad("extract", tmp_path), "a folder without .txt files")
        result = isnad("extract")
        assert result.exit_code == 2 and "FILE" in result.stderr

    def test_missing_model(self, isnad: Command, refused: Refused, tmp_path: Path):
        refused(isnad("extract", ARTICLES[0], "-m", tmp_path), "config.json is missing")
        refused(isnad("extract", ARTICLES[0], "-m", tmp_path / "x"), "no model at", "model.safetensors")

    def test_altered_model(self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path):
        copy = shutil.copytree(tiny_model, tmp_path / "copy")
        with (copy / "model.safetensors").open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\x7f")
        for command in (
            ("extract", ARTICLES[0], "-m", copy),
            ("info", copy),
            ("eval", copy, "seeds:articles"),
        ):
            refused(isnad(*command), "model.safetensors is missing or differs from manifest.json")

    @pytest.mark.parametrize(
        ("threshold", "message"),
        [
            ("PRES=0.7", "unknown label 'PRES'; did you mean 'PERS'?"),
            ("1.5", "threshold 1.5 for"),
            ("PERS=nan", "threshold nan for PERS"),
            ("half", "--threshold 'half'; accepted: a probability such as 0.5, or LABEL=0.7"),
            ("PERS=", "--threshold 'PERS='"),
        ],
    )
    def test_thresholds(
        self, isnad: Command, refused: Refused, threshold: str, message: str, tiny_model: Path
    ):
        refused(isnad("extract", ARTICLES[0], "-m", tiny_model, "--threshold", threshold), message)
        refused(
            isnad("extract", ARTICLES[0], "-m", tiny_model, "--threshold", "0.5", "--threshold", threshold),
            message,
        )

    def test_outputs_that_do_not_fit(self, isnad: Command, refused: Refused, tmp_path: Path):
        refused(isnad("extract", ARTICLES[0], "-o", tmp_path), "tables are for the screen")
        refused(isnad("extract", ARTICLES[0], "-f", "csv", "-o", tmp_path / "a.html"), "does not go with")
        assert isnad("extract", ARTICLES[0], "-f", "xml").exit_code == 2

    def test_unwritable_outputs(self, isnad: Command, refused: Refused, tmp_path: Path):
        (tmp_path / "file").touch()
        model = tmp_path / "none"
        # Below a file nobody may make a folder, not even root; /proc is read-only for everybody.
        places = [tmp_path / "file" / "out"] + ([Path("/proc/isnad")] if Path("/proc/self").exists() else [])
        if os.geteuid() != 0:
            (tmp_path / "locked").mkdir(mode=0o500)
            places.append(tmp_path / "locked" / "out")
        for place in places:
            for options in (("-f", "brat", "-o", place), ("-o", place / "page.html")):
                refused(isnad("extract", ARTICLES[0], "-m", model, *options), "cannot write to", "-o")

    def test_inputs_are_never_overwritten(
        self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path
    ):
        text, gold = tmp_path / "a.txt", tmp_path / "a.ann"
        text.write_text(SHORT, encoding="utf-8")
        for overwrite in ((), ("--overwrite",)):
            arguments = ("extract", "-m", tiny_model, tmp_path, "-f", "brat", "-o", tmp_path, *overwrite)
            refused(isnad(*arguments), "is an input or its annotation", "-o")
        assert not gold.exists() and text.read_text(encoding="utf-8") == SHORT

    def test_outputs_are_overwritten_on_request_only(
        self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path
    ):
        page = tmp_path / "page.html"
        page.write_text("mine", encoding="utf-8")
        command = ("extract", "-m", tiny_model, ARTICLES[0], "-o", page)
        refused(isnad(*command), "page.html already there", "--overwrite")
        assert page.read_text(encoding="utf-8") == "mine"
        assert isnad(*command, "--overwrite").exit_code == 0
        assert page.read_text(encoding="utf-8").startswith("<!")

    @pytest.mark.parametrize("output", ["out", "new/page.html", "new/all.jsonl"])
    def test_nothing_is_left_of_a_run_that_fails(
        self, isnad: Command, output: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        from isnad.model.inference import Extractor

        whole = Extractor.pipe

        def breaking(self: Extractor, texts: object, **options: object) -> object:
            yield next(whole(self, texts, **options))
            raise KeyboardInterrupt

        monkeypatch.setattr(Extractor, "pipe", breaking)
        options = ("-f", "brat") if output == "out" else ()
        result = isnad("extract", "-m", tiny_model, *ARTICLES[:2], "-o", tmp_path / output, *options)
        assert result.exit_code == 130 and result.stderr == "error: interrupted\n"
        assert list(tmp_path.iterdir()) == []
