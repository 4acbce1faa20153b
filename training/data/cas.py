"""INCEpTION's UIMA CAS JSON 0.4.0, through dkpro-cassis (https://github.com/apache/uima-uimaj-io-jsoncas).

A file a document. Mentions are annotations of the layer NamedEntity (label in `value`) or of custom layers with a
feature that holds labels; relations are annotations with `Governor` (head) and `Dependent` (tail); clusters are
coreference chains. The text is the sofa string; offsets are UTF-16 units. Files of other tools that count code
points are told apart by their DocumentAnnotation, which spans the text, or else by what the spans cover.

The written files have tokens that are cut at proclitics, because the layer NamedEntity is anchored at tokens.
Relations need a layer in the INCEpTION project: `webanno.custom.EntityRelation`, attached to NamedEntity, with
the string feature `label`. Scores have no place.
"""

import json
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...model.document import Document, Entity
from ...model.errors import DataError
from ...model.schema import LabelSchema
from ...model.text import paragraphs, sentence_starts, words
from . import cas_layers
from .cas_layers import CHAIN, DOCUMENT, LINK, NAMED_ENTITY, SENTENCE, TOKEN, Annotated
from .cas_offsets import use_utf16
from .exchange import head, require, unheld
from .files import Faults, log_notices, named, read_text, write_text
from .tokens import tokens

if TYPE_CHECKING:
    from cassis import Cas, TypeSystem

RELATION = "webanno.custom.EntityRelation"
_ANNOTATION, _STRING = "uima.tcas.Annotation", "uima.cas.String"
# Supertype and features of every type; one that is referred to stands before.
_TYPES: dict[str, tuple[str, dict[str, str]]] = {
    DOCUMENT: (
        "uima.tcas.DocumentAnnotation",
        dict.fromkeys(
            ("documentTitle", "documentId", "documentUri", "collectionId", "documentBaseUri"), _STRING
        )
        | {"isLastSegment": "uima.cas.Boolean"},
    ),
    SENTENCE: (_ANNOTATION, {"id": _STRING}),
    TOKEN: (_ANNOTATION, {"id": _STRING}),
    NAMED_ENTITY: (_ANNOTATION, {"value": _STRING, "identifier": _STRING}),
    RELATION: (_ANNOTATION, {"Governor": NAMED_ENTITY, "Dependent": NAMED_ENTITY, "label": _STRING}),
    LINK: (_ANNOTATION, {"next": LINK, "referenceType": _STRING, "referenceRelation": _STRING}),
    CHAIN: ("uima.cas.AnnotationBase", {"first": LINK}),
}
_LAYOUT = "UIMA CAS JSON 0.4.0, INCEpTION's export format of that name"
_KEY = re.compile(r'\{\s*"%(?:TYPES|FEATURE_STRUCTURES|VIEWS|HEADER)"')
_TASK = "the format 'cas'"


def read(path: Path, schema: LabelSchema) -> list[Document]:
    """Read a file, or all CAS files below a folder in the order of their names.

    Which custom layers hold entities and relations, and in which feature, is decided over all files: those of
    which at least one value is a label of the schema. The layer NamedEntity always counts.

    Args:
        path: a `.json` file or a folder, such as the `annotation` folder of an exported project.
        schema: the labels and signatures to check against.

    Returns:
        Documents. `id` is the title in the file, or the path below the folder where titles repeat.

    Raises:
        ConfigError: dkpro-cassis is not installed.
        DataError: no CAS, spans outside the text or inside a character, labels that the schema lacks; up to 20
            faults of a file are listed with their lines.
    """
    require("cassis", task=_TASK)
    paths = sorted(p for p in path.rglob("*.json") if _is_cas(p)) if path.is_dir() else [path]
    if not paths:
        raise DataError("no CAS in the folder", path=path, accepted=f".json files in {_LAYOUT}")
    notices: Counter[str] = Counter()
    files = [_load(file, path, notices) for file in paths]
    titles = Counter(file.title for file in files)
    chosen = cas_layers.choose(files, schema)
    documents = []
    for file in files:
        if not file.title or titles[file.title] > 1:
            file.title = file.name
        documents.append(cas_layers.build(file, chosen, schema, notices))
    log_notices(path, notices)
    return documents


def write(documents: Sequence[Document], path: Path, schema: LabelSchema) -> Counter[str]:
    """Write a folder with a file for every document.

    Args:
        documents: ids become titles and, where they are safe, file names; `a/b` goes to a subfolder.
        path: the folder, or a `.json` file for one document.
        schema: not needed; labels are written as they are.

    Returns:
        Scores and repeated mentions, which have no place.

    Raises:
        ConfigError: dkpro-cassis is not installed.
        DataError: several documents for one file, a text that UTF-8 cannot hold, or an unwritable path.
    """
    require("cassis", task=_TASK)
    pairs = named(documents)
    if path.suffix == ".json" and len(pairs) != 1:
        raise DataError(f"{len(pairs)} documents for one file", path=path, accepted="a folder")
    if path.suffix != ".json" and path.is_file():
        raise DataError(f"cannot write files into the file {path.name}", path=path, accepted="a folder")
    contents = [_cas(name, document).to_json(pretty_print=False) for name, document in pairs]
    files = [path] if path.suffix == ".json" else [path / f"{name}.json" for name in _file_names(pairs)]
    for file, content in zip(files, contents, strict=True):
        write_text(file, content)
    return unheld(documents)


def detects(path: Path) -> bool:
    """Whether `path` is a CAS JSON file or a folder that holds one."""
    if path.is_dir():
        return any(_is_cas(file) for file in path.rglob("*.json"))
    return _is_cas(path)


def _is_cas(path: Path) -> bool:
    return path.suffix == ".json" and path.is_file() and _KEY.match(head(path)) is not None


def _load(path: Path, root: Path, notices: Counter[str]) -> Annotated:
    from cassis import load_cas_from_json

    source = read_text(path).removeprefix("\ufeff")
    try:
        data = json.loads(source)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not JSON at column {error.colno}: {error.msg}", path=path, line=error.lineno, accepted=_LAYOUT
        ) from error
    except (ValueError, RecursionError) as error:  # a ValueError of its own: a number of 5,000 digits
        raise DataError(f"JSON that is beyond reading: {error}", path=path, accepted=_LAYOUT) from error
    faults, name = (
        Faults(path),
        path.relative_to(root).with_suffix("").as_posix() if path != root else path.stem,
    )
    text, wrong = use_utf16(data, source, faults, notices, name)
    try:
        with warnings.catch_warnings():
            # It warns of offsets that it cannot map; those stand in `faults` with their lines.
            warnings.simplefilter("ignore")
            cas = load_cas_from_json(json.dumps(data))
    # A file that keeps to JSON but not to the CAS fails in any of a dozen ways inside the library.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"not a CAS: {type(error).__name__}: {reason}", path=path, accepted=_LAYOUT
        ) from error
    return Annotated(name, text, cas, source, wrong, faults)


@cache
def _types() -> "TypeSystem":
    """Return the types that are written: those of DKPro Core as INCEpTION has them, and our relation layer.

    They are built here, because the type system that comes with dkpro-cassis lacks the document's metadata and
    holds two types for one name, of which the one without features may be written.
    """
    from cassis import TypeSystem

    types = TypeSystem()
    for name, (parent, features) in _TYPES.items():
        type_ = types.create_type(name, parent)
        for feature, range_ in features.items():
            types.create_feature(type_, feature, range_)
    return types


def _cas(name: str, document: Document) -> "Cas":
    from cassis import Cas

    text = document.text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"document {name!r}: the character {text[error.start]!r} at {error.start} is half of a surrogate pair",
            accepted="text that UTF-8 can hold; the format 'jsonl' writes it as an escape",
        ) from error
    cas = Cas(typesystem=_types())
    cas.sofa_string, cas.sofa_mime = text, "text/plain"

    def add(type_: str, start: int, end: int, **values: Any) -> Any:
        made = _types().get_type(type_)(begin=start, end=end, **values)
        cas.add(made)
        return made

    add(DOCUMENT, 0, len(text), documentTitle=name, documentId=name, language="ar")
    cut = tokens(text, [(e.start, e.end) for e in document.entities])
    for start, end in _sentences(text, document.entities, cut):
        add(SENTENCE, start, end)
    for start, end in cut:
        add(TOKEN, start, end)
    made = {e.id: add(NAMED_ENTITY, e.start, e.end, value=e.label) for e in document.entities}
    for r in document.relations:
        head_, tail = made[r.head], made[r.tail]
        # INCEpTION gives a relation the offsets of the annotation it points to.
        add(RELATION, tail.begin, tail.end, Governor=head_, Dependent=tail, label=r.label)
    by_id = document.by_id()
    for cluster in document.clusters:
        mentions = [by_id[id_] for id_ in cluster]
        links = [add(LINK, e.start, e.end, referenceType=e.label) for e in mentions]
        for before, after in pairwise(links):
            before.next = after
        cas.add(_types().get_type(CHAIN)(first=links[0]))
    return cas


def _sentences(
    text: str, entities: Sequence[Entity], cut: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the sentences of a text, none of which ends inside a mention; every token is in one."""
    starts: set[int] = set()
    for start, end in paragraphs(text):
        row = words(text, start, end)
        starts.update(row[n][0] for n in sentence_starts(text, row))
    starts -= {s for s in starts if any(e.start < s < e.end for e in entities)}
    groups: list[list[tuple[int, int]]] = []
    for token in cut:
        if not groups or token[0] in starts:
            groups.append([])
        groups[-1].append(token)
    return [(group[0][0], group[-1][1]) for group in groups]


def _file_names(pairs: Sequence[tuple[str, Document]]) -> list[str]:
    """Return a file name for every document: its id where a file can have that name, and different ones."""
    names: list[str] = []
    for n, (id_, _) in enumerate(pairs, 1):
        parts = PurePosixPath(id_).parts
        unsafe = any(c in '\\:*?"<>|' or not c.isprintable() for c in id_) or id_.startswith("/")
        long = any(len(part.encode("utf-8")) > 200 for part in parts)
        plain = not unsafe and not long and parts and not any(p.startswith(".") for p in parts)
        names.append("/".join(parts) if plain else f"document-{n}")
    lowered = Counter(name.casefold() for name in names)
    return [name if lowered[name.casefold()] == 1 else f"{name}-{n}" for n, name in enumerate(names, 1)]
