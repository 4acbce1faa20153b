"""From texts to an extended model: pre-annotated, corrected as the tools export it, and learned."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isnad.model.inference import Extractor
from isnad.model.schema import LabelSchema
from isnad.training.data import read_documents

SCHEMA = """
name: arms
extends: wojood
entities:
  - {name: WEAPON, en: Weapon or ammunition, ar: سلاح أو ذخيرة}
"""
WEAPONS = ("صواريخ كروز", "بنادق كلاشينكوف", "مُسيّرة انتحارية", "قنـابل عنقودية")
TEXTS = {f"خبر-{n}": f"🚀 نقل نصرالله و{WEAPONS[n % 4]} إلى قاعدة قرب بغداد يوم {n} نيسان" for n in range(14)}
_MARK = re.compile(r"\[([^\[\]|]+)\|[^\[\]|]+\]")

# A correction: in every text the weapon is marked; in the first one the first mention loses its last letter, and all
# others are struck out with their relations.
Correction = Callable[[Path], Path]


def _weapon(text: str) -> tuple[int, int, str]:
    [name] = [name for name in WEAPONS if name in text]
    return text.index(name), text.index(name) + len(name), name


def _label_studio(path: Path, *, whole: bool) -> Path:
    """The exports `JSON` and `JSON-MIN` of a project that was made of the tasks."""
    made = []
    for n, task in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        text = task["data"]["text"]
        [prediction] = task["predictions"]
        result: list[dict[str, Any]] = prediction["result"]
        if n == 0:
            first = next(r for r in result if r["type"] == "labels")
            first["value"] |= {"end": first["value"]["end"] - 1, "text": first["value"]["text"][:-1]}
            result = [first | {"origin": "prediction-changed"}]
        start, end, name = _weapon(text)
        value = {"start": start, "end": end, "text": name, "labels": ["WEAPON"]}
        marked = {"value": value, "id": "nEw_1-x", "from_name": "label", "to_name": "text", "type": "labels"}
        result = [{"origin": "prediction"} | r for r in result] + [marked | {"origin": "manual"}]
        common = {
            "created_at": "2025-03-01T10:00:00.1Z",
            "updated_at": "2025-03-01T10:05:00.2Z",
            "lead_time": 12.5,
        }
        annotation = common | {
            "id": 100 + n, "completed_by": 1, "result": result, "was_cancelled": False, "ground_truth": False,
            "prediction": {"id": 5 + n, "result": prediction["result"], "model_version": prediction["model_version"]},
            "result_count": len(result), "task": 10 + n, "parent_prediction": 5 + n, "parent_annotation": None,
        }  # fmt: skip
        if whole:
            made.append({
                "id": 10 + n, "annotations": [annotation], "file_upload": "ab12-tasks.json", "drafts": [],
                "predictions": [5 + n], "data": task["data"], "meta": {}, "inner_id": n + 1, "project": 3,
                "total_annotations": 1, "cancelled_annotations": 0, "total_predictions": 1, "comment_authors": [],
            })  # fmt: skip
        else:
            regions = [r["value"] for r in result if r["type"] == "labels"]
            flat = {"id": 10 + n, "label": regions, "annotator": 1, "annotation_id": 100 + n}
            made.append(task["data"] | flat | common)
    export = path.with_name("project-3-at-2025-03-01.json")
    export.write_text(json.dumps(made), encoding="utf-8")
    return export


def _doccano(path: Path) -> Path:
    """`all.jsonl` of a project with relations."""
    return _exported(path, _doccano_links)


def _doccano_links(n: int, record: dict[str, Any]) -> dict[str, Any]:
    entities, links = record["entities"], record["relations"]
    if n == 0:
        entities[0]["end_offset"] -= 1
        entities, links = entities[:1], []
    start, end, _ = _weapon(record["text"])
    added = {"id": 90_000 + n, "label": "WEAPON", "start_offset": start, "end_offset": end}
    return {"entities": [*entities, added], "relations": links}


def _doccano_labels(path: Path) -> Path:
    """`all.jsonl` of a project for sequence labelling alone."""
    return _exported(path, _labels)


def _labels(n: int, record: dict[str, Any]) -> dict[str, Any]:
    spans = record["label"]
    if n == 0:
        spans = [[spans[0][0], spans[0][1] - 1, spans[0][2]]]
    return {"label": [*spans, [*_weapon(record["text"])[:2], "WEAPON"]]}


def _exported(path: Path, corrected: Callable[[int, dict[str, Any]], dict[str, Any]]) -> Path:
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [
        {"id": 700 + n, "text": r["text"], "document_id": r["document_id"]}
        | corrected(n, r)
        | {"Comments": []}
        for n, r in enumerate(records)
    ]
    export = path.with_name("all.jsonl")
    export.write_text(
        "\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n", encoding="utf-8"
    )
    return export


def _brat(path: Path) -> Path:
    """brat rewrites the lines of what is changed, drops those of what is deleted, and appends what is new."""
    for ann in path.glob("*.ann"):
        text = ann.with_suffix(".txt").read_bytes().decode()
        lines = ann.read_text(encoding="utf-8").splitlines()
        if ann.stem == "خبر-0":
            key, span, quote = next(line for line in lines if line.startswith("T")).split("\t")
            label, start, end = span.split(" ")
            lines = [f"{key}\t{label} {start} {int(end) - 1}\t{quote[:-1]}"]
        start, end, name = _weapon(text)
        lines += [f"T900\tWEAPON {start} {end}\t{name}", "#900\tAnnotatorNotes T900\tسلاح"]
        ann.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _inline(path: Path) -> Path:
    """An editor of Windows: every line ends with a carriage return, and a mark of byte order stands before all."""
    out: list[str] = []
    begun_anew = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(">"):
            out += [line] * (not begun_anew)
        elif not line or line.startswith("# "):
            out.append(line)
        else:
            plain = line
            while match := _MARK.search(plain):
                plain = plain[: match.start()] + match[1] + plain[match.end() :]
            *_, name = _weapon(plain)
            # In the first text all else is struck out; where marks cut the weapon up the annotator begins anew.
            first = len(out) == 1
            begun_anew = first or name not in line
            if begun_anew:
                line = plain if first else plain.replace("نصرالله", "[نصرالله|PERS]")
            out.append(line.replace(name, f"[{name}|WEAPON]"))
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*out, ""]).encode())
    return path


@pytest.mark.parametrize(
    ("to", "name", "correct"),
    [
        ("label-studio", "tasks.json", lambda p: _label_studio(p, whole=True)),
        ("label-studio", "tasks.json", lambda p: _label_studio(p, whole=False)),
        ("doccano", "tasks.jsonl", _doccano),
        ("doccano --write layout=labels", "tasks.jsonl", _doccano_labels),
        ("brat", "brat", _brat),
        ("inline", "marked.txt", _inline),
    ],
    ids=["label-studio", "label-studio-min", "doccano", "doccano-labels", "brat", "inline"],
)
def test_a_corrected_file_retrains(
    isnad: Callable[..., Any], tiny_model: Path, tmp_path: Path, to: str, name: str, correct: Correction
) -> None:
    (tmp_path / "arms.yaml").write_text(SCHEMA, encoding="utf-8")
    schema = LabelSchema.from_yaml(tmp_path / "arms.yaml")
    lines = [json.dumps({"id": id_, "text": text}, ensure_ascii=False) for id_, text in TEXTS.items()]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    made = isnad(
        "annotate", tmp_path / "texts.jsonl", "--to", *to.split(), "-o", tmp_path / name, "-m", tiny_model,
        "--schema", tmp_path / "arms.yaml",
    )  # fmt: skip
    assert made.exit_code == 0 and "14 texts" in made.stderr, (made.stderr, made.exception)
    assert not re.search(r"14 texts, [0-9] entities", made.stderr), "too few to correct"
    data = correct(tmp_path / name)

    documents = {d.id: d for d in read_documents(data, schema=schema)}
    assert documents.keys() == TEXTS.keys()
    for id_, document in documents.items():
        assert document.text.removesuffix("\n") == TEXTS[id_] and document.model == ""
        assert [e.text for e in document.entities if e.label == "WEAPON"] == [_weapon(TEXTS[id_])[2]]
        assert all(document.text[e.start : e.end] == e.text and e.score == 1.0 for e in document.entities)
    assert len(documents["خبر-0"].entities) == (1 if to == "inline" else 2)
    assert sum(len(d.entities) for d in documents.values()) >= 2 * len(TEXTS) - 1, "what was found is kept"

    trained = isnad(
        "train", "--base", tiny_model, "--data", data, "--schema", tmp_path / "arms.yaml", "-o", tmp_path / "run",
        "--allow-forgetting", "--set", "tracker=none", "--set", "epochs=1", "--set", "extend.repeat=1",
        "--set", "extend.rehearse=[]", "--set", "extend.measure=[]",
    )  # fmt: skip
    assert trained.exit_code == 0, (trained.stderr, trained.exception)
    counts = re.search(r"training: (.*?); development: (.*)", trained.stderr)
    assert counts is not None
    assert sum(int(n) for part in counts.groups() for n in re.findall(r"(\d+) WEAPON", part)) == len(TEXTS)
    model = Extractor.from_pretrained(tmp_path / "run/model")
    assert model.schema.entity_labels[-1] == "WEAPON"
    assert model(TEXTS["خبر-0"]).text == TEXTS["خبر-0"]
