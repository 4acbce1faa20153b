"""brat standoff: a folder of `.txt` and `.ann` pairs (https://brat.nlplab.org/standoff.html).

Read: `T` mentions, `R` relations, `* Equiv` clusters. Attributes (`A`, `M`), normalisations (`N`), notes
(`#`) and events (`E`) have no place in a Document; they are counted and logged. Offsets are code points of
the `.txt` as its bytes say: its line ends are not translated.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

from ...model.document import Document
from ...model.errors import DataError
from ...model.render.brat import LINE_BREAKS, to_brat
from ...model.schema import LabelSchema
from . import losses
from .builder import DocumentBuilder
from .files import Faults, log_notices, named, read_text, write_text
from .offsets import Claim, settle

_IGNORED = {"A": "attribute", "M": "attribute", "N": "normalisation", "#": "note", "E": "event"}
_SPANS = re.compile(r"(\S+) (\d{1,12} \d{1,12}(?:;\d{1,12} \d{1,12})*)")
_RELATION = re.compile(r"(\S+) +(\S+?):(\S+) +(\S+?):(\S+)\s*")
_LINE_KINDS = "T (mention), R (relation), * Equiv (cluster), and A, M, N, E, # (skipped)"


def read(path: Path, schema: LabelSchema, *, repair: bool = False) -> list[Document]:
    """Read a folder of `.txt` and `.ann` pairs, subfolders included, or one pair.

    Args:
        path: the folder, or either file of a pair.
        schema: the labels and signatures to check against.
        repair: whether mentions whose offsets miss the text that they quote are moved, where only one place
            is possible, and logged; else they are faults, which name the place.

    Returns:
        Documents in the order of their names. `id` is the path of the pair inside the folder without its
        suffix, or the stem of a single file.

    Raises:
        DataError: a file of a pair is missing, or a `.ann` is faulty; up to 20 faults of a file are listed
            with their lines.
    """
    notices: Counter[str] = Counter()
    documents = []
    for id_, stem in _pairs(path):
        text_path, ann_path = (stem.with_name(stem.name + suffix) for suffix in (".txt", ".ann"))
        for wanted, other in ((text_path, ann_path), (ann_path, text_path)):
            if not wanted.is_file():
                raise DataError(
                    f"{wanted.name} is missing beside it",
                    path=other,
                    accepted="a pair of .txt and .ann; an empty .ann says that nothing is annotated",
                )
        text, ann = read_text(text_path), read_text(ann_path)
        documents.append(_parse(text, ann, schema, id_=id_, path=ann_path, notices=notices, repair=repair))
    log_notices(path, notices)
    return documents


def write(documents: Sequence[Document], path: Path, schema: LabelSchema) -> Counter[str]:
    """Write a folder of `.txt` and `.ann` pairs, with the `annotation.conf` that brat needs to show them.

    An `annotation.conf` that is already there is left as it is.

    Args:
        documents: ids become file names; `a/b` goes to a subfolder.
        path: the folder; made if it is not there.
        schema: the labels for `annotation.conf`.

    Returns:
        Scores, model names, and mentions that begin or end with a line break or repeat another; the rest
        is kept.

    Raises:
        DataError: an id is used twice or is no safe file name, or a label holds a blank or a colon.
    """
    lost: Counter[str] = Counter()
    documents = [_fitted(document, lost) for document in documents]
    if path.suffix in {".txt", ".ann"} or path.is_file():
        raise DataError(f"cannot write pairs to the file {path.name}", path=path, accepted="a folder")
    pairs = [(_safe(name, path), document, to_brat(document)) for name, document in named(documents)]
    for name, document, annotation in pairs:
        write_text(path / f"{name}.txt", document.text)
        write_text(path / f"{name}.ann", annotation)
    if not (path / "annotation.conf").exists():
        grouped = {e.label for document in documents for e in document.entities if e.cluster is not None}
        write_text(path / "annotation.conf", annotation_conf(schema, grouped))
    return lost


def parse_ann(text: str, ann: str, schema: LabelSchema, *, id: str = "", path: object = "") -> Document:
    """Build a document from the contents of a `.txt` and its `.ann`.

    Args:
        text: the text, untouched.
        ann: the standoff lines.
        schema: the labels and signatures to check against.
        id: name of the document.
        path: the `.ann` file, for messages.

    Raises:
        DataError: see `read`.
    """
    notices: Counter[str] = Counter()
    document = _parse(text, ann, schema, id_=id, path=path, notices=notices)
    log_notices(path or id or "brat", notices)
    return document


def annotation_conf(schema: LabelSchema, grouped: set[str] | None = None) -> str:
    """Return the `annotation.conf` that tells brat the labels and signatures of a schema.

    Args:
        schema: the labels.
        grouped: labels beside the coreferent ones whose mentions may stand in `Equiv`.
    """
    lines = ["[entities]", *schema.entity_labels, "", "[relations]"]
    for r in schema.relations:
        symmetric = ", <REL-TYPE>:symmetric" if r.symmetric else ""
        lines.append(f"{r.name}\tArg1:{'|'.join(r.head)}, Arg2:{'|'.join(r.tail)}{symmetric}")
    for label in schema.entity_labels:
        if label in schema.coreferent_labels | (grouped or set()):
            lines.append(f"Equiv\tArg1:{label}, Arg2:{label}, <REL-TYPE>:symmetric-transitive")
    lines += ["<OVERLAP>\tArg1:<ENTITY>, Arg2:<ENTITY>, <OVL-TYPE>:<ANY>", "", "[events]", "", "[attributes]"]
    return "\n".join(lines) + "\n"


def detects(path: Path) -> bool:
    """Whether `path` is a `.ann`, a `.txt` with a `.ann` beside it, or a folder that holds a `.ann`."""
    if path.is_dir():
        return next(path.rglob("*.ann"), None) is not None
    return path.suffix == ".ann" or (path.suffix == ".txt" and path.with_suffix(".ann").is_file())


def _pairs(path: Path) -> list[tuple[str, Path]]:
    if not path.is_dir():
        if path.suffix not in {".txt", ".ann"}:
            raise DataError(f"the suffix is {path.suffix!r}", path=path, accepted="a folder, .txt or .ann")
        return [(path.stem, path.with_suffix(""))]
    # Path.with_suffix would cut a name such as `v1.2`; the suffix is known, so cut its four characters.
    stems = {p.with_name(p.name[:-4]) for suffix in ("txt", "ann") for p in path.rglob(f"*.{suffix}")}
    if not stems:
        raise DataError("no .txt and .ann files", path=path, accepted="a folder of .txt and .ann pairs")
    return sorted((stem.relative_to(path).as_posix(), stem) for stem in stems)


def _fitted(document: Document, lost: Counter[str]) -> Document:
    """Return the document without the mentions that no `.ann` can quote, all that is lost counted."""
    losses.count_scores(document, lost)
    gone = {e.id for e in document.entities if LINE_BREAKS.match(e.text[0]) or LINE_BREAKS.match(e.text[-1])}
    losses.add(lost, "entities that begin or end with a line break", len(gone))
    return losses.merged(losses.without(document, gone, lost), lost)


def _safe(name: str, path: Path) -> str:
    parts = PurePosixPath(name).parts
    if "\\" in name or "\0" in name or name.startswith("/") or ".." in parts or name.endswith("/"):
        raise DataError(
            f"the document id {name!r} is no safe file name", path=path, accepted="names like 'a/b'"
        )
    return name


def _parse(
    text: str,
    ann: str,
    schema: LabelSchema,
    *,
    id_: str,
    path: object,
    notices: Counter[str],
    repair: bool = False,
) -> Document:
    faults = Faults(path)
    builder = DocumentBuilder(text, schema, faults, id_, notices)
    for number, raw in enumerate(ann.removeprefix("\ufeff").split("\n"), 1):
        line = raw.removesuffix("\r")
        if not line.strip():
            continue
        kind, (key, _, rest) = line[0], line.partition("\t")
        if kind == "T":
            _mention(builder, key, rest, number, repair)
        elif kind == "R":
            _relation(builder, key, rest, number)
        elif kind == "*":
            _equiv(builder, rest, number)
        elif kind in _IGNORED:
            notices[f"{_IGNORED[kind]} ({kind}) skipped"] += 1
        else:
            faults.add(f"a line that begins with {line[:20]!r}", line=number, accepted=_LINE_KINDS)
    document = builder.build()
    faults.raise_any()
    return document


def _mention(builder: DocumentBuilder, key: str, rest: str, line: int, repair: bool) -> None:
    head, tab, quoted = rest.partition("\t")
    match = _SPANS.fullmatch(head.rstrip(" "))
    if not match or not tab:
        builder.refuse(key, f"{key} holds {rest[:60]!r}", line=line, accepted="T1⇥LABEL start end⇥text")
        return
    parts = [(int(s), int(e)) for s, e in (span.split(" ") for span in match[2].split(";"))]
    start, end = parts[0][0], parts[-1][1]
    text = builder.text
    gaps = [text[a[1] : b[0]] if a[1] < b[0] else "" for a, b in pairwise(parts)]
    if not all(gap.isspace() for gap in gaps):
        builder.refuse(
            key,
            f"{key} is discontinuous ({match[2]})",
            line=line,
            accepted=f"one span; write '{start} {end}' for the whole stretch, or a T line for each part",
        )
        return
    shown = " ".join(text[s:e] for s, e in parts)
    accepted_quotes = {shown, LINE_BREAKS.sub(" ", shown)}
    if start < end and quoted.rstrip() not in {q.rstrip() for q in accepted_quotes}:
        places, unit = settle(text, [Claim(start, end, quoted)] if repair else [])
        place = places[0] if places else None
        if place:
            where = place.note or f"at {start}–{end} counted in {unit}"
            builder.notices[f"document {builder.id!r}: {key} {quoted!r} {where}"] += 1
            builder.mention(key, place.start, place.end, match[1], line=line)
            return
        found = f"{key} quotes {quoted!r}, but the text from {start} to {end} is {shown!r}"
        builder.refuse(key, found, line=line, accepted=_offset_hint(text, quoted, start, end))
        return
    builder.mention(key, start, end, match[1], line=line)


def _offset_hint(text: str, quoted: str, start: int, end: int) -> str:
    if text.replace("\r\n", "\n")[start:end] == quoted:
        return "offsets that count \\r\\n as two code points, as the .txt has it"
    utf16 = text.encode("utf-16-le", "surrogatepass")[2 * start : 2 * end].decode("utf-16-le", "replace")
    if utf16 == quoted:
        return "offsets in code points, not in UTF-16 units"
    places = [m.start() for m in re.finditer(re.escape(quoted), text)] if quoted else []
    if places:
        at = min(places, key=lambda place: abs(place - start))
        return f"offsets of the quoted text; the nearest is at {at} {at + len(quoted)}"
    return f"the text between the offsets, quoted exactly; the text has {len(text)} code points"


def _relation(builder: DocumentBuilder, key: str, rest: str, line: int) -> None:
    match = _RELATION.fullmatch(rest)
    if not match:
        accepted = "R1⇥label Arg1:T1 Arg2:T2"
        builder.faults.add(f"{key} holds {rest[:60]!r}", line=line, accepted=accepted)
        return
    label, role1, id1, role2, id2 = match.groups()
    if (role1, role2) == ("Arg2", "Arg1"):
        id1, id2 = id2, id1
    elif (role1, role2) != ("Arg1", "Arg2"):
        builder.faults.add(f"{key} has the roles {role1} and {role2}", line=line, accepted="Arg1 and Arg2")
        return
    builder.relate(id1, label, id2, line=line, shown=f"{key} {label} {id1} {id2}")


def _equiv(builder: DocumentBuilder, rest: str, line: int) -> None:
    name, *members = rest.split() or [""]
    if name != "Equiv" or len(members) < 2:
        builder.faults.add(f"* holds {rest[:60]!r}", line=line, accepted="*⇥Equiv T1 T2 …")
        return
    builder.group(members, line=line)
