r"""Label Studio JSON (https://labelstud.io/guide/task_format): tasks with spans and relations over a text.

Read: the export "JSON" with its `annotations`, or where a task has none, its `predictions`; and "JSON-MIN",
which has no relations. Of several annotations the ground truth is read, or the first that was not skipped.
A task that nobody annotated says nothing about its text and is left out.

Offsets: early versions counted UTF-16 units, those of today count code points; every span quotes its
text, so that each is checked, and moved only where one place alone is possible. Where nothing is quoted,
code points are taken, unless `offsets` says otherwise. `\r\n` counts as two.

Written: `annotations` for gold, `predictions` with scores and `model_version` for documents that a model
made. Clusters become relations named `coreference` from mention to mention, and are read back from them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...model.document import Document
from ...model.schema import LabelSchema
from . import losses
from .exchange import dump_json
from .files import log_notices, named, read_text, write_text
from .label_studio_config import labeling_config
from .label_studio_tasks import TASK, Task, flat_regions
from .offsets import CODE_POINTS, QUOTED_UNITS, UTF16, check_unit, written_in
from .records import coreference_links, first_record, read_records

__all__ = ["detects", "labeling_config", "read", "write"]

_OFFSETS = (CODE_POINTS, UTF16)


def read(
    path: Path, schema: LabelSchema, *, text_key: str = "", offsets: str = CODE_POINTS
) -> list[Document]:
    """Read the tasks of an export.

    Args:
        path: the `.json` file (a list of tasks), or one task a line.
        schema: the labels and signatures to check against.
        text_key: where in `data` the text is; by default `text`, or the only text there.
        offsets: what offsets count where no quoted text tells, `code-points` or `utf-16`.

    Returns:
        Documents in the order of the tasks. `id` is `document_id`, `doc_id` or `id` of `data`, else
        `task-<id>`. Annotations have scores of 1.0; predictions have their own, and `model`.

    Raises:
        DataError: broken JSON, a task without a text, spans that are nowhere or at several places, labels
            that the schema lacks; up to 20 faults are listed with the line where their task begins.
    """
    check_unit(offsets, _OFFSETS)
    units = sorted(QUOTED_UNITS, key=lambda unit: unit != offsets)
    return read_records(path, partial(Task, schema=schema, units=units, text_key=text_key), accepted=TASK)


def write(
    documents: Sequence[Document], path: Path, schema: LabelSchema, *, offsets: str = CODE_POINTS
) -> Counter[str]:
    """Write a file of tasks to import, and the labelling configuration of the project beside it.

    The configuration goes to `<name>.config.xml`; one that is already there is left as it is.

    Args:
        documents: ids go to `data.document_id`.
        path: the file.
        schema: the labels of the configuration.
        offsets: what to count, `code-points`, or `utf-16` for early versions.

    Returns:
        Scores of documents without a `model`, and what else has no place.
    """
    check_unit(offsets, _OFFSETS)
    lost: Counter[str] = Counter()
    tasks = []
    for number, (name, document) in enumerate(named(documents), 1):
        result = _results(document, schema, written_in(document.text, offsets), lost)
        made: dict[str, Any] = {"result": result}
        task: dict[str, Any] = {"id": number, "data": {"text": document.text, "document_id": name}}
        if document.model:
            scores = [e.score for e in document.entities]
            made |= {"model_version": document.model, "score": sum(scores) / len(scores) if scores else 0.0}
            task["predictions"] = [made]
        else:
            losses.count_scores(document, lost)
            task["annotations"] = [made]
        tasks.append(dump_json(task))
    write_text(path, "[\n" + ",\n".join(tasks) + "\n]\n")
    _write_config(path.with_name(f"{path.stem}.config.xml"), schema)
    return lost


def _write_config(path: Path, schema: LabelSchema) -> None:
    if not path.exists():
        write_text(path, labeling_config(schema))
    elif read_text(path) != labeling_config(schema):
        log_notices(path, Counter({"configuration that is not the schema's, left as it is": 1}))


def detects(path: Path) -> bool:
    """Whether the first record of a `.json` or `.jsonl` file is a task of Label Studio."""
    first = first_record(path)
    if not isinstance(first, dict):
        return False
    # A task of JSON-MIN in which nothing was marked has no regions.
    flat = {"annotator", "annotation_id"} <= first.keys() or bool(flat_regions(first))
    return isinstance(first.get("data"), dict) or flat


def _results(
    document: Document, schema: LabelSchema, at: Callable[[int], int], lost: Counter[str]
) -> list[dict[str, Any]]:
    scored = bool(document.model)
    document = losses.merged(document, lost)
    result: list[dict[str, Any]] = []
    for e in document.entities:
        value = {"start": at(e.start), "end": at(e.end), "text": e.text, "labels": [e.label]}
        item = {"id": e.id, "from_name": "label", "to_name": "text", "type": "labels", "value": value}
        result.append(item | ({"score": e.score} if scored else {}))
    for r in document.relations:
        result.append(_link(r.head, r.label, r.tail) | ({"score": r.score} if scored else {}))
    result += [_link(*link) for link in coreference_links(document, schema, lost)]
    return result


def _link(head: str, label: str, tail: str) -> dict[str, Any]:
    return {"type": "relation", "from_id": head, "to_id": tail, "direction": "right", "labels": [label]}
