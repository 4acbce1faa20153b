"""Documents as columns of plain values, for Arrow: parquet files, `datasets`, Ray, Spark."""

from typing import TYPE_CHECKING, Any

from .document import Document
from .errors import ConfigError, DataError

if TYPE_CHECKING:
    import pyarrow

# Keys of an entity, and of what a document says of its schema.
ENTITY = ("id", "start", "end", "label", "text", "name", "score", "cluster", "word_start", "word_end")
STAMP = ("name", "version", "hash")


def to_columns(document: Document) -> dict[str, Any]:
    """Return the keys of `Document.to_dict` as `arrow_schema` types them, scores unrounded.

    Raises:
        DataError: text or id holds half of a surrogate pair, which Arrow cannot store.
    """
    for value in (document.text, document.id):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(
                f"the character {value[error.start]!r} at {error.start} is half of a surrogate pair",
                accepted="text that UTF-8 can hold; the format 'jsonl' writes it as an escape",
            ) from error
    return document_row(document)


def document_row(document: Document) -> dict[str, Any]:
    """Return the same without looking at the texts."""
    return {
        "id": document.id,
        "text": document.text,
        "entities": [{key: getattr(e, key) for key in ENTITY} for e in document.entities],
        "relations": [
            {"head": r.head, "label": r.label, "tail": r.tail, "score": r.score} for r in document.relations
        ],
        "clusters": [list(cluster) for cluster in document.clusters],
        "schema": {key: document.schema.get(key) for key in STAMP},
        "model": document.model,
    }


def arrow_schema() -> "pyarrow.Schema":
    """Return the Arrow types of `to_columns`: those of `training.data.hub.features`, without `datasets`.

    Raises:
        ConfigError: `pyarrow` is not installed.
    """
    pa = need_pyarrow("columns for Arrow")
    text, number, score = pa.string(), pa.int64(), pa.float64()
    types = dict.fromkeys(("id", "label", "text", "name"), text) | {"score": score}
    entity = pa.struct([(key, types.get(key, number)) for key in ENTITY])
    relation = pa.struct([("head", text), ("label", text), ("tail", text), ("score", score)])
    return pa.schema(
        [
            ("id", text),
            ("text", text),
            ("entities", pa.list_(entity)),
            ("relations", pa.list_(relation)),
            ("clusters", pa.list_(pa.list_(text))),
            ("schema", pa.struct([(key, text) for key in STAMP])),
            ("model", text),
        ]
    )


def need_pyarrow(task: str) -> Any:
    """Return the module `pyarrow`, or raise ConfigError with what to install."""
    try:
        import pyarrow
    except ImportError as error:
        raise ConfigError(
            f"{task} need pyarrow, which is not installed; write: pip install pyarrow"
        ) from error
    return pyarrow
