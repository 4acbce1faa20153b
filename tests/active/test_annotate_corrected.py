"""What an annotator makes of pre-annotations, read back as gold."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.training.data import detect_format, read_documents


@pytest.fixture(scope="module")
def wanted(schema: LabelSchema) -> LabelSchema:
    """The model's labels and a new one."""
    data = schema.to_dict()
    return LabelSchema.from_dict(data | {"entities": [*data["entities"], {"name": "WEAPON", "ar": "سلاح"}]})


class TestCorrected:
    """An annotator corrects what a model found: قاآني is a person, بصاروخٍ holds a weapon, لبنان is struck out."""

    @pytest.fixture
    def write(self, wanted: LabelSchema, predicted: Document) -> Callable[[str, Path], None]:
        from isnad.cli.annotate import write_predictions

        def made(to: str, out: Path) -> None:
            write_predictions([predicted], out, to, wanted, Counter(), fitted=True)

        return made

    def expect(self, path: Path, wanted: LabelSchema, text: str, *, name: str) -> None:
        """The file is recognised, and holds the correction as gold."""
        assert detect_format(path).name == name
        documents = read_documents(path, schema=wanted)
        assert len(documents) == 1
        document = documents[0]
        assert document.text == text and document.model == ""
        assert {(e.text, e.label) for e in document.entities} == {
            *(
                ("حَسَن نصـــر الله", "PERS"),
                ("قاآني", "PERS"),
                ("صاروخٍ", "WEAPON"),
                ("نصرالله", "PERS"),
                ("بيروت", "GPE"),
            ),
        }
        assert all(e.score == 1.0 and text[e.start : e.end] == e.text for e in document.entities)
        names = {e.id: e.text for e in document.entities}
        assert [(names[r.head], r.label, names[r.tail], r.score) for r in document.relations] == [
            ("نصرالله", "visited", "بيروت", 1.0)
        ]
        assert [[names[m] for m in c] for c in document.clusters] == [["حَسَن نصـــر الله", "نصرالله"]]

    def test_label_studio(
        self, write: Callable[[str, Path], None], wanted: LabelSchema, tmp_path: Path, predicted: Document
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
        start = predicted.text.index("صاروخٍ")
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
        self.expect(path, wanted, predicted.text, name="label-studio")

    def test_label_studio_min_with_nothing_marked_first(self, wanted: LabelSchema, tmp_path: Path) -> None:
        """JSON-MIN leaves the regions out where an annotator has struck all of them."""
        about = {"annotator": 1, "annotation_id": 7, "created_at": "2025-03-01T10:00:00.1Z", "lead_time": 3.1}
        marked = {"start": 4, "end": 9, "text": "قاآني", "labels": ["PERS"]}
        tasks = [
            {"text": "لا اسم هنا", "id": 1, **about},
            {"text": "زار قاآني", "id": 2, "label": [marked], **about},
        ]
        path = tmp_path / "min.json"
        path.write_text(json.dumps(tasks), encoding="utf-8")
        assert detect_format(path).name == "label-studio"
        found = read_documents(path, schema=wanted)
        assert [[e.text for e in d.entities] for d in found] == [[], ["قاآني"]]

    def test_doccano(
        self, write: Callable[[str, Path], None], wanted: LabelSchema, tmp_path: Path, predicted: Document
    ) -> None:
        path = tmp_path / "all.jsonl"
        write("doccano", path)
        record = json.loads(path.read_text(encoding="utf-8"))
        by_text = {predicted.text[e["start_offset"] : e["end_offset"]]: e for e in record["entities"]}
        by_text["قاآني"]["label"] = "PERS"
        gone = by_text["لبنان"]["id"]
        record["entities"] = [e for e in record["entities"] if e["id"] != gone]
        start = predicted.text.index("صاروخٍ")
        record["entities"].append(
            {"id": 900, "label": "WEAPON", "start_offset": start, "end_offset": start + 6}
        )
        record["relations"] = [r for r in record["relations"] if gone not in (r["from_id"], r["to_id"])]
        exported = {"id": 5123, "text": record["text"], "document_id": record["document_id"], "Comments": []}
        exported |= {"entities": record["entities"], "relations": record["relations"]}
        path.write_text(json.dumps(exported, ensure_ascii=False) + "\n", encoding="utf-8")
        self.expect(path, wanted, predicted.text, name="doccano")

    def test_brat(
        self, write: Callable[[str, Path], None], wanted: LabelSchema, tmp_path: Path, predicted: Document
    ) -> None:
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
        start = predicted.text.index("صاروخٍ")
        path.write_text(
            "\n".join([*kept, f"T77\tWEAPON {start} {start + 6}\tصاروخٍ"]) + "\n", encoding="utf-8"
        )
        assert "WEAPON" in (tmp_path / "b/annotation.conf").read_text(encoding="utf-8")
        self.expect(tmp_path / "b", wanted, predicted.text, name="brat")

    def test_inline(
        self, write: Callable[[str, Path], None], wanted: LabelSchema, tmp_path: Path, predicted: Document
    ) -> None:
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
        self.expect(path, wanted, predicted.text, name="inline")
