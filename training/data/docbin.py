"""spaCy DocBin (https://spacy.io/api/docbin): the `.spacy` files that `spacy train` reads.

Outermost mentions are `doc.ents`, all mentions are `doc.spans["sc"]` (spaCy's span categorizer), clusters are
`doc.spans["coref_clusters_1"]` and so on (its coreference component); names of documents stand in the `attrs` of
the group `sc`. Relations and scores have no place.

Tokens are those of spaCy's Arabic tokenizer, cut wherever a mention begins or ends: `وبغداد` becomes `و` and
`بغداد`, so that every mention is a span of whole tokens. spaCy aligns them with its own when it trains.

A DocBin is compressed msgpack; user data, which may hold anything, is neither written nor loaded.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.document import Document
from ...model.errors import DataError
from ...model.schema import LabelSchema
from .builder import DocumentBuilder
from .exchange import require, unheld
from .files import Faults, log_notices, named, read_bytes, write_bytes
from .tokens import pieces

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

SPANS = "sc"
CLUSTERS = "coref_clusters"
_NAME = "document_id"
_TASK = "the format 'docbin'"


def read(path: Path, schema: LabelSchema) -> list[Document]:
    """Read a `.spacy` file, or all of a folder in the order of their names.

    Mentions are `doc.spans["sc"]` and `doc.ents` together; other groups of spans are counted and logged, those
    that begin with `coref_clusters` are clusters.

    Args:
        path: the file or folder.
        schema: the labels and signatures to check against.

    Returns:
        Documents with the `id` that this writer stored, else `<file>-<n>`.

    Raises:
        ConfigError: spaCy is not installed.
        DataError: no DocBin, spans outside the text, or labels that the schema lacks.
    """
    require("spacy", task=_TASK)
    paths = sorted(path.rglob("*.spacy")) if path.is_dir() else [path]
    if not paths:
        raise DataError("no .spacy file in the folder", path=path, accepted="one or more .spacy files")
    documents = []
    for file in paths:
        faults, notices = Faults(file), Counter[str]()
        for n, doc in enumerate(_load(file), 1):
            known = len(faults.items)
            document = _document(doc, f"{file.stem}-{n}", schema, faults, notices)
            # There are no lines to name.
            faults.items[known:] = [
                f._replace(
                    line=0,
                    found=f"document {document.id!r}: {f.found}",
                    place=f.place or f"document {document.id!r}",
                )
                for f in faults.items[known:]
            ]
            documents.append(document)
        log_notices(file, notices)
        faults.raise_any()
    return documents


def write(documents: Sequence[Document], path: Path, schema: LabelSchema) -> Counter[str]:
    """Write one DocBin.

    Args:
        documents: what to write.
        path: the file; a folder if its name has no suffix, in which `train.spacy` is written.
        schema: not needed; labels are written as they are.

    Returns:
        Relations, scores and repeated mentions, which have no place.

    Raises:
        ConfigError: spaCy is not installed.
        DataError: a text that UTF-8 cannot hold, or an unwritable path.
    """
    require("spacy", task=_TASK)
    from spacy.tokens import DocBin

    packed = DocBin(attrs=["ENT_IOB", "ENT_TYPE"], store_user_data=False)
    for name, document in named(documents):
        try:
            document.text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(
                f"document {name!r}: the character {document.text[error.start]!r} at {error.start} is half of a "
                "surrogate pair",
                path=path,
                accepted="text that UTF-8 can hold; the format 'jsonl' writes it as an escape",
            ) from error
        packed.add(_doc(document, name))
    write_bytes(path if path.suffix else path / "train.spacy", packed.to_bytes())
    return unheld(documents, relations=True)


def detects(path: Path) -> bool:
    """Whether `path` is a `.spacy` file or a folder that holds one."""
    if path.is_dir():
        return next(path.rglob("*.spacy"), None) is not None
    return path.suffix == ".spacy"


@cache
def _arabic() -> "Language":
    import spacy

    return spacy.blank("ar")


def _doc(document: Document, name: str) -> "Doc":
    from spacy.tokens import Doc, Span, SpanGroup

    text, spans = document.text, [(e.start, e.end) for e in document.entities]
    base = [(t.idx, t.idx + len(t)) for t in _arabic().tokenizer(text) if not t.is_space]
    starts, ends = {s for s, _ in spans}, {e for _, e in spans}
    cut: list[tuple[int, int]] = []
    spaces: list[bool] = []
    for piece in pieces(text, spans, base):
        start = piece.start
        # One blank after a token belongs to it, as in spaCy, unless a mention begins or ends with that blank.
        free = start not in starts and (piece.end > start + 1 or piece.end not in ends)
        if text[start] == " " and free and cut and not spaces[-1]:
            spaces[-1], start = True, start + 1
        if start < piece.end:
            cut.append((start, piece.end))
            spaces.append(False)
    doc = Doc(_arabic().vocab, words=[text[s:e] for s, e in cut], spaces=spaces)
    first = {start: n for n, (start, _) in enumerate(cut)}
    last = {end: n + 1 for n, (_, end) in enumerate(cut)}
    made = {e.id: Span(doc, first[e.start], last[e.end], label=e.label) for e in document.entities}
    doc.set_ents(_outermost(list(made.values())))
    doc.spans[SPANS] = SpanGroup(doc, name=SPANS, spans=list(made.values()), attrs={_NAME: name})
    for n, cluster in enumerate(document.clusters, 1):
        key = f"{CLUSTERS}_{n}"
        doc.spans[key] = SpanGroup(doc, name=key, spans=[made[id_] for id_ in cluster])
    return doc


def _outermost(spans: "Sequence[Span]") -> "list[Span]":
    """Return the longest spans that share no token, the earlier of two of one length."""
    kept: list[Span] = []
    taken: set[int] = set()
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start)):
        if taken.isdisjoint(range(span.start, span.end)):
            taken.update(range(span.start, span.end))
            kept.append(span)
    return sorted(kept, key=lambda s: s.start)


def _load(path: Path) -> "list[Doc]":
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    try:
        packed = DocBin().from_bytes(read_bytes(path))
        if len(packed) == 0:
            return []
        packed.user_data = [None] * len(packed)
        return list(packed.get_docs(Vocab()))
    except DataError:
        raise
    # What is no DocBin, or only half of one, fails in any of a dozen ways inside msgpack, numpy and spaCy.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"not a spaCy DocBin: {reason}", path=path, accepted="what DocBin.to_disk() writes"
        ) from error


def _document(doc: "Doc", id_: str, schema: LabelSchema, faults: Faults, notices: Counter[str]) -> Document:
    group = doc.spans.get(SPANS)
    name = group.attrs.get(_NAME) if group is not None else None
    builder = DocumentBuilder(
        doc.text, schema, faults, name if isinstance(name, str) and name else id_, notices
    )
    ids: dict[tuple[int, int, str], str] = {}
    for start, end, label in _bounds(group or (), doc, builder) + _bounds(doc.ents, doc, builder):
        if (start, end, label) not in ids:
            ids[start, end, label] = f"T{len(ids) + 1}"
            builder.mention(ids[start, end, label], start, end, label)
    for key in doc.spans:
        if key.startswith(CLUSTERS):
            bounds = _bounds(doc.spans[key], doc, builder)
            members = [ids[b] for b in bounds if b in ids]
            if len(members) < len(bounds):
                notices["mention of a cluster that is no entity, skipped"] += len(bounds) - len(members)
            builder.group(members)
        elif key != SPANS:
            notices[f"span of the group {key!r}, skipped"] += len(doc.spans[key])
    return builder.build()


def _bounds(spans: "Iterable[Span]", doc: "Doc", builder: DocumentBuilder) -> list[tuple[int, int, str]]:
    """Return (start, end, label) in code points; spans of tokens or labels that do not exist are faults."""
    try:
        # Offsets of the tokens, not those stored in the span: the text is made of the tokens.
        return [(s[0].idx, s[-1].idx + len(s[-1]), s.label_) for s in spans]
    except (IndexError, KeyError) as error:
        reason = " ".join(str(error).split())
        builder.faults.add(reason, accepted="spans of its tokens, labels in its strings")
        return []
