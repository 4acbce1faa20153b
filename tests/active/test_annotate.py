"""Pre-annotations: how texts are cut into units, and what `isnad annotate` writes."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.training.active import annotate, cut, fit
from isnad.training.active.units import Unit
from isnad.training.data import read_documents
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]
ARTICLES = Path(__file__).resolve().parents[2] / "seeds/articles"


def spans(document: Document) -> set[tuple[int, int, str]]:
    return {(e.start, e.end, e.label) for e in document.entities}


class FakeReader:
    """An extractor that has one thing to say."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def pipe(self, texts: Iterable[tuple[str, str]], *, batch_size: int = 32) -> Iterator[Document]:
        for name, text in texts:
            assert text == self.document.text
            yield replace(self.document, id=name)


class TestCut:
    def test_units_have_offsets_of_their_own(self, predicted: Document) -> None:
        lost: Counter[str] = Counter()
        reader = FakeReader(predicted)
        found = list(annotate([("خبر", predicted.text)], reader, unit="sentence", lost=lost))
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
        assert all(d.model == "fake-1" and predicted.text.count(d.text) == 1 for d in found)
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

    def test_a_mention_across_units_is_counted(self, predicted: Document) -> None:
        document, lost = predicted, Counter[str]()
        at = predicted.text.index("نصـــر")
        pieces = [
            Unit("a", predicted.text[:at], "x", 0, at),
            Unit("b", predicted.text[at:], "x", at, len(predicted.text)),
        ]
        found = list(cut(document, pieces, lost=lost))
        assert lost == {"entities across units": 1, "coreference links across units": 1}
        assert [len(d.entities) for d in found] == [0, 4]

    def test_labels_that_are_not_annotated_are_left_out(
        self, schema: LabelSchema, predicted: Document
    ) -> None:
        smaller = LabelSchema.from_dict({"name": "places", "entities": [{"name": "GPE"}, {"name": "WEAPON"}]})
        lost: Counter[str] = Counter()
        kept = fit(predicted, smaller, lost)
        assert {e.label for e in kept.entities} == {"GPE"} and not kept.relations and not kept.clusters
        assert kept.schema["name"] == "places"
        assert lost["entities of the label PERS"] == 2 and lost["entities of the label ORG"] == 1
        assert lost["relations"] == 1
        assert fit(predicted, schema, Counter()) == predicted

    def test_renamed_and_merged_labels_have_their_new_names(
        self, schema: LabelSchema, predicted: Document, tmp_path: Path
    ) -> None:
        (tmp_path / "s.yaml").write_text(
            "name: s\nextends: wojood\nentities: [{name: HUMAN, from: [PERS, ORG]}, {name: TOWN, from: GPE}, "
            "{name: LAND, from: GPE}]\nrelations: [{name: went_to, from: visited}]\n",
            encoding="utf-8",
        )
        wanted = LabelSchema.from_yaml(tmp_path / "s.yaml")
        lost: Counter[str] = Counter()
        [person] = [e for e in predicted.entities if e.text == "قاآني"]
        twice = replace(predicted, entities=(*predicted.entities, replace(person, id="T9", label="PERS")))
        kept = fit(twice, wanted, lost)
        assert [(e.text, e.label) for e in kept.entities] == [
            ("حَسَن نصـــر الله", "HUMAN"),
            ("قاآني", "HUMAN"),
            ("نصرالله", "HUMAN"),
        ]
        assert kept.clusters == (("T1", "T3"),) and not kept.relations
        assert lost == {"repeated mentions": 1, "entities of the label GPE": 2, "relations": 1}


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

    def test_refusals(
        self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path, predicted: Document
    ) -> None:
        text = tmp_path / "a.txt"
        text.write_text(predicted.text, encoding="utf-8")

        def run(to: str, out: Path, *options: object) -> Result:
            return isnad("annotate", text, "-m", tiny_model, "--to", to, "-o", out, *options)

        refused(run("labelstudio", tmp_path / "a.json"), "did you mean 'label-studio'")
        refused(run("inline", text, "--overwrite"), "is an input")
        refused(run("brat", tmp_path, "--overwrite"), "folder of inputs")
        out = tmp_path / "tasks.jsonl"
        refused(run("doccano", out, "--write", "layuot=labels"), "--write layuot", "did you mean 'layout'?")
        refused(run("inline", out, "--write", "layout=labels"), "none, inline has no options")
        refused(run("doccano", out, "--write", "layout"), "--write 'layout'; write it as KEY=VALUE")
        (tmp_path / "there.jsonl").touch()
        refused(run("jsonl", tmp_path / "there.jsonl"), "already there", "--overwrite")
        refused(
            isnad("annotate", tmp_path / "none.txt", "--to", "brat", "-o", tmp_path / "b"), "no such file"
        )
        assert text.read_text(encoding="utf-8") == predicted.text.replace("\r\n", "\n")
