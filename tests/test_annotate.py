"""Pre-annotations: what `isnad annotate` writes, and what an annotator makes of it, read back as gold."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from isnad.model.document import Document, Relation, number_clusters
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.active import annotate, cut, fit
from isnad.training.active.units import Unit
from isnad.training.data import detect_format, read_documents
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]
ARTICLES = Path(__file__).resolve().parents[1] / "seeds/articles"
TEXT = "🇱🇧 التقى حَسَن نصـــر الله قاآني بصاروخٍ ١٢ مرة.\r\nثم سافر نصرالله إلى بيروت 😀 ولبنان."


def spans(document: Document) -> set[tuple[int, int, str]]:
    return {(e.start, e.end, e.label) for e in document.entities}


def predicted(schema: LabelSchema) -> Document:
    """What a model might find in `TEXT`: two names of one man, two places, a relation, an error."""
    text = TEXT
    found = (
        *(("حَسَن نصـــر الله", "PERS", 0.93), ("قاآني", "ORG", 0.41), ("نصرالله", "PERS", 0.88)),
        *(("بيروت", "GPE", 0.97), ("لبنان", "GPE", 0.9)),
    )
    entities = [
        make_entity(text, text.index(w), text.index(w) + len(w), label, id=f"T{n}", score=score)
        for n, (w, label, score) in enumerate(found, 1)
    ]
    numbered, clusters = number_clusters(entities, [["T1", "T3"]])
    stamp = {"name": schema.name, "version": schema.version, "hash": schema.hash}
    return Document(
        text, numbered, (Relation("T3", "visited", "T4", 0.77),), clusters, "خبر", stamp, "fake-1"
    )


class FakeReader:
    """An extractor that has one thing to say."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def pipe(self, texts: Iterable[tuple[str, str]], *, batch_size: int = 32) -> Iterator[Document]:
        for name, text in texts:
            assert text == self.document.text
            yield replace(self.document, id=name)


class TestCut:
    def test_units_have_offsets_of_their_own(self, schema: LabelSchema) -> None:
        lost: Counter[str] = Counter()
        reader = FakeReader(predicted(schema))
        found = list(annotate([("خبر", TEXT)], reader, unit="sentence", lost=lost))
        assert [d.id for d in found] == ["خبر-p1s1", "خبر-p2s1"]
        first, second = found
        assert [(e.text, e.label, e.score) for e in first.entities] == [
            ("حَسَن نصـــر الله", "PERS", 0.93),
            ("قاآني", "ORG", 0.41),
        ]
        assert [e.text for e in second.entities] == ["نصرالله", "بيروت", "لبنان"]
        assert [(r.head, r.label, r.tail, r.score) for r in second.relations] == [
            ("T1", "visited", "T2", 0.77)
        ]
        assert lost == {"coreference links across units": 1}
        assert all(d.model == "fake-1" and TEXT.count(d.text) == 1 for d in found)
        lebanon = second.entities[-1]
        assert second.text[lebanon.word_start : lebanon.word_end] == "ولبنان"
        assert lebanon.name == "لبنان"

    def test_gold_articles_come_back_whole(self, articles: list[Document]) -> None:
        """Cut into paragraphs, all that is lost is counted; what is kept is what it was."""
        for document in articles:
            lost: Counter[str] = Counter()
            reader = FakeReader(document)
            found = list(annotate([(document.id, document.text)], reader, unit="paragraph", lost=lost))
            assert sum(len(d.entities) for d in found) == len(document.entities)
            assert Counter(e.text for d in found for e in d.entities) == Counter(
                e.text for e in document.entities
            )
            relations = sum(len(d.relations) for d in found)
            assert relations + lost["relations across units"] == len(document.relations)
            links = sum(len(c) - 1 for d in found for c in d.clusters)
            assert links + lost["coreference links across units"] == sum(
                len(c) - 1 for c in document.clusters
            )

    def test_a_mention_across_units_is_counted(self, schema: LabelSchema) -> None:
        document, lost = predicted(schema), Counter[str]()
        at = TEXT.index("نصـــر")
        pieces = [Unit("a", TEXT[:at], "x", 0, at), Unit("b", TEXT[at:], "x", at, len(TEXT))]
        found = list(cut(document, pieces, lost=lost))
        assert lost == {"entities across units": 1, "coreference links across units": 1}
        assert [len(d.entities) for d in found] == [0, 4]

    def test_labels_that_are_not_annotated_are_left_out(self, schema: LabelSchema) -> None:
        smaller = LabelSchema.from_dict({"name": "places", "entities": [{"name": "GPE"}, {"name": "WEAPON"}]})
        lost: Counter[str] = Counter()
        kept = fit(predicted(schema), smaller, lost)
        assert {e.label for e in kept.entities} == {"GPE"} and not kept.relations and not kept.clusters
        assert kept.schema["name"] == "places"
        assert lost["entities of the label PERS"] == 2 and lost["entities of the label ORG"] == 1
        assert lost["relations"] == 1
        assert fit(predicted(schema), schema, Counter()) == predicted(schema)


@pytest.fixture(scope="module")
def found(tiny_model: Path) -> list[Document]:
    """What the tiny model finds in two articles, sorted by id."""
    from isnad.model.inference import Extractor

    paths = sorted(ARTICLES.glob("*.txt"))[:2]
    return list(Extractor.from_pretrained(tiny_model).pipe((p.stem, p.read_bytes().decode()) for p in paths))


class TestCommand:
    def run(self, isnad: Command, model: Path, to: str, out: Path, *options: object) -> Result:
        texts = sorted(ARTICLES.glob("*.txt"))[:2]
        result = isnad("annotate", *texts, "-m", model, "--to", to, "-o", out, *options)
        assert result.exit_code == 0, result.stderr
        assert result.stdout == "" and "none of them checked" in result.stderr
        return result

    def test_label_studio_predictions(
        self, isnad: Command, tiny_model: Path, found: list[Document], schema: LabelSchema, tmp_path: Path
    ) -> None:
        """Predictions with scores and model version, and a configuration that names all of their labels."""
        self.run(isnad, tiny_model, "label-studio", tmp_path / "tasks.json")
        tasks = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
        config = ElementTree.fromstring((tmp_path / "tasks.config.xml").read_text(encoding="utf-8"))
        labels = {label.get("value") for label in config.iter("Label")}
        assert labels == set(schema.entity_labels)
        assert {t.get("name") for t in config.iter("Text")} == {"text"}
        for task, document in zip(tasks, found, strict=True):
            assert task["data"]["text"] == document.text and not task.get("annotations")
            prediction = task["predictions"][0]
            assert prediction["model_version"] == "tiny" and 0 < prediction["score"] <= 1
            regions = [item for item in prediction["result"] if item["type"] == "labels"]
            assert len(regions) == len(document.entities)
            for region, entity in zip(regions, document.entities, strict=True):
                assert region["value"]["text"] == entity.text and region["value"]["labels"] == [entity.label]
                assert region["score"] == pytest.approx(entity.score, abs=1e-4)
                assert (region["from_name"], region["to_name"]) == ("label", "text")

    def test_what_a_format_cannot_hold_is_said(
        self, isnad: Command, tiny_model: Path, found: list[Document], tmp_path: Path
    ) -> None:
        scored = sum(len(d.entities) + len(d.relations) for d in found)
        said = self.run(isnad, tiny_model, "doccano", tmp_path / "d.jsonl").stderr
        assert f"doccano cannot hold: 2 model names; {scored:,} scores" in said
        assert "cannot hold" not in self.run(isnad, tiny_model, "jsonl", tmp_path / "a.jsonl").stderr

    def test_brat_has_scores_as_notes(
        self, isnad: Command, tiny_model: Path, found: list[Document], schema: LabelSchema, tmp_path: Path
    ) -> None:
        said = self.run(isnad, tiny_model, "brat", tmp_path / "b").stderr
        assert "cannot hold" not in said
        for document in found:
            lines = (tmp_path / "b" / f"{document.id}.ann").read_text(encoding="utf-8").splitlines()
            notes = dict(
                m.groups() for line in lines if (m := re.match(r"#\d+\tAnnotatorNotes (\S+)\t(.*)", line))
            )
            assert notes == {e.id: f"tiny {e.score:.2f}" for e in document.entities} | {
                f"R{n}": f"tiny {r.score:.2f}" for n, r in enumerate(document.relations, 1)
            }
        read = {d.id: d for d in read_documents(tmp_path / "b", schema=schema)}
        assert all(spans(read[d.id]) == spans(d) for d in found)
        assert all(e.score == 1.0 for d in read.values() for e in d.entities)

    def test_threshold_and_unit(
        self, isnad: Command, tiny_model: Path, tmp_path: Path, schema: LabelSchema
    ) -> None:
        counts = []
        for threshold in ("0.2", "0.6"):
            out = tmp_path / f"{threshold}.jsonl"
            self.run(isnad, tiny_model, "jsonl", out, "--threshold", threshold, "--unit", "sentence")
            documents = read_documents(out, format="jsonl", schema=schema)
            assert len(documents) > 20 and re.search(r"-p\d+s\d+$", documents[0].id)
            counts.append(sum(len(d.entities) for d in documents))
            assert all(e.score >= float(threshold) for d in documents for e in d.entities)
        assert counts[0] > counts[1]

    def test_a_schema_with_a_new_label(self, isnad: Command, tiny_model: Path, tmp_path: Path) -> None:
        (tmp_path / "my.yaml").write_text(
            "name: my\nentities:\n  - name: PERS\n  - name: WEAPON\n    ar: سلاح\n", encoding="utf-8"
        )
        said = self.run(
            isnad, tiny_model, "label-studio", tmp_path / "t.json", "--schema", tmp_path / "my.yaml"
        ).stderr
        config = (tmp_path / "t.config.xml").read_text(encoding="utf-8")
        assert 'value="WEAPON"' in config and "سلاح" in config and 'value="GPE"' not in config
        assert re.search(r"left out: .*entities of the label", said)
        self.run(isnad, tiny_model, "label-studio", tmp_path / "t.json", "--overwrite")
        assert 'value="GPE"' in (tmp_path / "t.config.xml").read_text(encoding="utf-8")

    def test_chosen_texts_are_annotated(self, isnad: Command, tiny_model: Path, tmp_path: Path) -> None:
        chosen, tasks = tmp_path / "chosen.jsonl", tmp_path / "tasks.jsonl"
        options = ("-m", tiny_model, "-n", 5, "--by", "diversity", "-o", chosen)
        assert isnad("select", ARTICLES, *options).exit_code == 0
        result = isnad("annotate", chosen, "-m", tiny_model, "--to", "doccano", "-o", tasks)
        assert result.exit_code == 0, result.stderr
        rows = [json.loads(line) for line in chosen.read_text(encoding="utf-8").splitlines()]
        made = [json.loads(line) for line in tasks.read_text(encoding="utf-8").splitlines()]
        assert [(r["id"], r["text"]) for r in rows] == [(m["document_id"], m["text"]) for m in made]

    def test_equal_ids_are_told_apart(self, isnad: Command, tiny_model: Path, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.jsonl").write_text('{"id": 1, "text": "سافر إلى بيروت"}\n', encoding="utf-8")
        texts, out = (tmp_path / "a.jsonl", tmp_path / "b.jsonl"), tmp_path / "out.jsonl"
        assert isnad("annotate", *texts, "-m", tiny_model, "--to", "jsonl", "-o", out).exit_code == 0
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        assert [row["id"] for row in rows] == ["1", "1-2"]

    def test_refusals(self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path) -> None:
        text = tmp_path / "a.txt"
        text.write_text(TEXT, encoding="utf-8")

        def run(to: str, out: Path, *options: object) -> Result:
            return isnad("annotate", text, "-m", tiny_model, "--to", to, "-o", out, *options)

        refused(run("labelstudio", tmp_path / "a.json"), "did you mean 'label-studio'")
        refused(run("inline", text, "--overwrite"), "is an input")
        refused(run("brat", tmp_path, "--overwrite"), "folder of inputs")
        (tmp_path / "there.jsonl").touch()
        refused(run("jsonl", tmp_path / "there.jsonl"), "already there", "--overwrite")
        refused(
            isnad("annotate", tmp_path / "none.txt", "--to", "brat", "-o", tmp_path / "b"), "no such file"
        )
        assert text.read_text(encoding="utf-8") == TEXT.replace("\r\n", "\n")


@pytest.fixture(scope="module")
def wanted(schema: LabelSchema) -> LabelSchema:
    """The model's labels and a new one."""
    data = schema.to_dict()
    return LabelSchema.from_dict(data | {"entities": [*data["entities"], {"name": "WEAPON", "ar": "سلاح"}]})


class TestCorrected:
    """An annotator corrects what a model found: قاآني is a person, بصاروخٍ holds a weapon, لبنان is struck out."""

    @pytest.fixture
    def write(self, wanted: LabelSchema, schema: LabelSchema) -> Callable[[str, Path], None]:
        from isnad.cli.annotate import write_predictions

        def made(to: str, out: Path) -> None:
            write_predictions([predicted(schema)], out, to, wanted, Counter(), fitted=True)

        return made

    def expect(self, path: Path, wanted: LabelSchema, *, name: str) -> None:
        """The file is recognised, and holds the correction as gold."""
        assert detect_format(path).name == name
        documents = read_documents(path, schema=wanted)
        assert len(documents) == 1
        document = documents[0]
        assert document.text == TEXT and document.model == ""
        assert {(e.text, e.label) for e in document.entities} == {
            *(
                ("حَسَن نصـــر الله", "PERS"),
                ("قاآني", "PERS"),
                ("صاروخٍ", "WEAPON"),
                ("نصرالله", "PERS"),
                ("بيروت", "GPE"),
            ),
        }
        assert all(e.score == 1.0 and TEXT[e.start : e.end] == e.text for e in document.entities)
        names = {e.id: e.text for e in document.entities}
        assert [(names[r.head], r.label, names[r.tail], r.score) for r in document.relations] == [
            ("نصرالله", "visited", "بيروت", 1.0)
        ]
        assert [[names[m] for m in c] for c in document.clusters] == [["حَسَن نصـــر الله", "نصرالله"]]

    def test_label_studio(
        self, write: Callable[[str, Path], None], wanted: LabelSchema, tmp_path: Path
    ) -> None:
        """The export of a project: the prediction stays, and the annotation made of it stands beside it."""
        path = tmp_path / "tasks.json"
        write("label-studio", path)
        task = json.loads(path.read_text(encoding="utf-8"))[0]
        result: list[dict[str, Any]] = json.loads(json.dumps(task["predictions"][0]["result"]))
        regions = {item["value"]["text"]: item for item in result if item["type"] == "labels"}
        regions["قاآني"]["value"]["labels"] = ["PERS"]
        gone = regions["لبنان"]["id"]
        corrected = [
            item
            for item in result
            if item.get("id") != gone and gone not in (item.get("from_id"), item.get("to_id"))
        ]
        start = TEXT.index("صاروخٍ")
        corrected.append(
            {
                **{
                    "id": "Xa1",
                    "from_name": "label",
                    "to_name": "text",
                    "type": "labels",
                    "origin": "manual",
                },
                "value": {"start": start, "end": start + 6, "text": "صاروخٍ", "labels": ["WEAPON"]},
            }
        )
        for item in corrected:
            item.setdefault("origin", "prediction-changed")
        annotation = {
            "id": 11,
            "completed_by": 1,
            "was_cancelled": False,
            "ground_truth": False,
            "result": corrected,
        }
        export = [task | {"id": 7, "annotations": [annotation], "predictions": [41]}]
        path.write_text(json.dumps(export), encoding="utf-8")  # the tool escapes Arabic
        self.expect(path, wanted, name="label-studio")

    def test_doccano(self, write: Callable[[str, Path], None], wanted: LabelSchema, tmp_path: Path) -> None:
        path = tmp_path / "all.jsonl"
        write("doccano", path)
        record = json.loads(path.read_text(encoding="utf-8"))
        by_text = {TEXT[e["start_offset"] : e["end_offset"]]: e for e in record["entities"]}
        by_text["قاآني"]["label"] = "PERS"
        gone = by_text["لبنان"]["id"]
        record["entities"] = [e for e in record["entities"] if e["id"] != gone]
        start = TEXT.index("صاروخٍ")
        record["entities"].append(
            {"id": 900, "label": "WEAPON", "start_offset": start, "end_offset": start + 6}
        )
        record["relations"] = [r for r in record["relations"] if gone not in (r["from_id"], r["to_id"])]
        exported = {"id": 5123, "text": record["text"], "document_id": record["document_id"], "Comments": []}
        exported |= {"entities": record["entities"], "relations": record["relations"]}
        path.write_text(json.dumps(exported, ensure_ascii=False) + "\n", encoding="utf-8")
        self.expect(path, wanted, name="doccano")

    def test_brat(self, write: Callable[[str, Path], None], wanted: LabelSchema, tmp_path: Path) -> None:
        """brat changes the `.ann` line by line, keeps its notes, and appends what is new."""
        write("brat", tmp_path / "b")
        path = tmp_path / "b/خبر.ann"
        lines = path.read_text(encoding="utf-8").splitlines()
        assert any("AnnotatorNotes T2\tfake-1 0.41" in line for line in lines)
        struck = next(line.split("\t")[0] for line in lines if line.endswith("\tلبنان"))
        kept = [
            re.sub(r"^(T\d+\t)ORG ", r"\1PERS ", line)
            for line in lines
            if not line.startswith(f"{struck}\t") and f" {struck}\t" not in line
        ]
        start = TEXT.index("صاروخٍ")
        path.write_text(
            "\n".join([*kept, f"T77\tWEAPON {start} {start + 6}\tصاروخٍ"]) + "\n", encoding="utf-8"
        )
        assert "WEAPON" in (tmp_path / "b/annotation.conf").read_text(encoding="utf-8")
        self.expect(tmp_path / "b", wanted, name="brat")

    def test_inline(self, write: Callable[[str, Path], None], wanted: LabelSchema, tmp_path: Path) -> None:
        path = tmp_path / "corrected.txt"
        write("inline", path)
        text = path.read_bytes().decode()
        for before, after in (
            ("[قاآني|ORG]", "[قاآني|PERS]"),
            ("[لبنان|GPE]", "لبنان"),
            ("بصاروخٍ", "ب[صاروخٍ|WEAPON]"),
        ):
            assert text.count(before) == 1, text
            text = text.replace(before, after)
        path.write_bytes(text.encode())
        self.expect(path, wanted, name="inline")
