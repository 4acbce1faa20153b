"""Hugging Face `datasets`: a features schema of ours, and parquet files that hold all of a document.

Labels are strings, not ClassLabel integers: a row can be read without the schema it was written with (in the
viewer of the hub, by pandas or DuckDB), and a schema that gains or reorders labels leaves stored rows right. Who
wants integers casts: `dataset.cast(features(schema, class_labels=True))`; such datasets are read as well.
"""

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.columns import ENTITY, STAMP, document_row
from ...model.document import Document, Entity, Relation
from ...model.errors import DataError
from ...model.schema import LabelSchema
from .exchange import check_labels, require
from .files import Faults, write_bytes

if TYPE_CHECKING:
    import datasets

_COLUMNS = ("id", "text", "entities", "relations", "clusters", "schema", "model")
_TASK = "the format 'datasets'"
_ROW = "what training.data.hub.to_dataset() writes"


def features(schema: LabelSchema | None = None, *, class_labels: bool = False) -> "datasets.Features":
    """Return the columns of a dataset of documents; they are the keys of `Document.to_dict()`.

    Args:
        schema: the labels; needed for class labels only.
        class_labels: make the labels of entities and relations `ClassLabel`s with the names of the schema.

    Raises:
        ConfigError: `datasets` is not installed.
        DataError: class labels without a schema.
    """
    require("datasets", task=_TASK)
    from datasets import ClassLabel, Features, List, Value

    if class_labels and schema is None:
        raise DataError("class labels without a schema", accepted="features(schema, class_labels=True)")
    kinds = {"entity": Value("string"), "relation": Value("string")}
    if class_labels and schema is not None:
        # A schema without relations has no names to number.
        kinds["entity"] = ClassLabel(names=list(schema.entity_labels))
        if schema.relations:
            kinds["relation"] = ClassLabel(names=list(schema.relation_labels))
    types = dict.fromkeys(("id", "text", "name"), "string") | {"score": "float64"}
    entity = {key: kinds["entity"] if key == "label" else Value(types.get(key, "int64")) for key in ENTITY}
    relation = {
        "head": Value("string"),
        "label": kinds["relation"],
        "tail": Value("string"),
        "score": Value("float64"),
    }
    return Features(
        {
            "id": Value("string"),
            "text": Value("string"),
            "entities": List(entity),
            "relations": List(relation),
            "clusters": List(List(Value("string"))),
            "schema": {key: Value("string") for key in STAMP},
            "model": Value("string"),
        }
    )


def to_dataset(documents: Iterable[Document]) -> "datasets.Dataset":
    """Return a dataset with a row for every document, scores unrounded.

    Raises:
        ConfigError: `datasets` is not installed.
        DataError: a text holds half of a surrogate pair, which Arrow cannot store.
    """
    columns = features()
    from datasets import Dataset

    rows = [document_row(document) for document in documents]
    try:
        return Dataset.from_dict({key: [row[key] for row in rows] for key in _COLUMNS}, features=columns)
    except UnicodeEncodeError as error:
        raise DataError(
            f"a text holds {error.object[error.start]!r}, half of a surrogate pair",
            accepted="text that UTF-8 can hold; the format 'jsonl' writes it as an escape",
        ) from error


def from_dataset(dataset: "datasets.Dataset", *, schema: LabelSchema | None = None) -> list[Document]:
    """Return the documents of a dataset with the columns of `features`.

    Args:
        dataset: what `to_dataset` made, class labels or not; other columns are passed over.
        schema: the labels and signatures to check against; None to take what is there.

    Raises:
        DataError: columns are missing, offsets do not fit the text, or labels are not in the schema; up to 20
            faults are listed with their rows.
    """
    faults = Faults("dataset")
    documents = _documents(dataset, schema, faults)
    faults.raise_any()
    return documents


def read(path: Path, schema: LabelSchema) -> list[Document]:
    """Read a parquet file, or all parquet files of a folder in the order of their names.

    Args:
        path: the file or folder.
        schema: the labels and signatures to check against.

    Returns:
        Documents as they were written, scores included.

    Raises:
        ConfigError: `datasets` is not installed.
        DataError: no parquet file, or a faulty one; see `from_dataset`.
    """
    require("datasets", task=_TASK)
    import pyarrow
    import pyarrow.parquet
    from datasets import Dataset
    from datasets.table import InMemoryTable

    paths = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not paths:
        raise DataError("no .parquet file in the folder", path=path, accepted="one or more .parquet files")
    documents = []
    for file in paths:
        faults = Faults(file)
        try:
            dataset = Dataset(InMemoryTable(pyarrow.parquet.read_table(file)))
        except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"not a parquet file: {reason}", path=file, accepted="parquet") from error
        documents += _documents(dataset, schema, faults)
        faults.raise_any()
    return documents


def write(documents: Sequence[Document], path: Path, schema: LabelSchema) -> Counter[str]:
    """Write one parquet file, which `datasets.load_dataset("parquet", data_files=…)` reads.

    Args:
        documents: what to write.
        path: a name that ends in `.parquet`; any other is a folder, in which `train.parquet` is written.
        schema: not needed; every row carries the stamp of its own.

    Returns:
        Entries of `Document.schema` beside name, version and hash; all else is held.
    """
    if path.suffix != ".parquet":
        if path.is_file():
            raise DataError(
                f"cannot write into the file {path.name}", path=path, accepted="a folder or .parquet"
            )
        path = path / "train.parquet"
    dataset = to_dataset(documents)
    import pyarrow.parquet

    buffer = io.BytesIO()
    # Not Dataset.to_parquet, which draws a progress bar; the features are in the metadata of the table.
    pyarrow.parquet.write_table(dataset.data.table, buffer)
    write_bytes(path, buffer.getvalue())
    beside = sum(len(set(document.schema) - set(STAMP)) for document in documents)
    return +Counter({"entries of the schema stamp": beside})


def detects(path: Path) -> bool:
    """Whether `path` is a parquet file or a folder that holds one."""
    if path.is_dir():
        return next(path.rglob("*.parquet"), None) is not None
    return path.suffix == ".parquet"


def _documents(dataset: "datasets.Dataset", schema: LabelSchema | None, faults: Faults) -> list[Document]:
    missing = [key for key in _COLUMNS[:4] if key not in dataset.column_names]
    if missing:
        found = f"no column {', '.join(map(repr, missing))}; there are {', '.join(dataset.column_names)}"
        faults.add(found, accepted="the columns of training.data.hub.features()")
        return []
    names = {key: _class_names(dataset.features[key]) for key in ("entities", "relations")}
    documents = []
    for n, row in enumerate(dataset, 1):
        try:
            document = _from_row(row, names)
        except DataError as error:
            faults.add(f"row {n}: {error.found}", accepted=error.accepted or _ROW)
            continue
        except (KeyError, TypeError, ValueError) as error:
            faults.add(f"row {n}: {type(error).__name__}: {error}", accepted=_ROW)
            continue
        if schema is not None:
            check_labels(document, schema, faults)
        documents.append(document)
    return documents


def _class_names(column: Any) -> list[str] | None:
    """Return the names behind a column of structs whose label is a ClassLabel, or None if it is a string."""
    inner = getattr(column, "feature", None)
    label = inner.get("label") if isinstance(inner, dict) else None
    names = getattr(label, "names", None)
    return None if names is None else list(names)


def _from_row(row: Mapping[str, Any], names: Mapping[str, list[str] | None]) -> Document:
    def plain(key: str) -> list[dict[str, Any]]:
        items, classes = row[key] or [], names[key]
        if classes is None:
            return items
        numbered = dict(enumerate(classes))  # -1 is how datasets marks a missing label, not the last one
        return [item | {"label": numbered[item["label"]]} for item in items]

    stamp = row.get("schema") or {}
    return Document(
        text=row["text"],
        entities=tuple(Entity(**e) for e in plain("entities")),
        relations=tuple(Relation(**r) for r in plain("relations")),
        clusters=tuple(tuple(c) for c in row.get("clusters") or ()),
        id=row["id"] or "",
        schema={key: value for key, value in stamp.items() if value is not None},
        model=row.get("model") or "",
    )
