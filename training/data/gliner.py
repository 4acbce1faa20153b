"""GLiNER training JSON (https://github.com/urchade/GLiNER, docs/training.md).

A list of `{"tokenized_text": [token, …], "ner": [[first, last, label], …]}`, tokens inclusive, spans nested or
overlapping at will; `relations` are `[head, tail, label]` with positions in `ner`. GLiNER keeps no text: where
only tokens are given they are joined by blanks. This writer adds `id`, `text` and `offsets` (code points of each
token), which GLiNER passes over and which bring the exact text back. Clusters and scores have no place.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...model.document import Document
from ...model.schema import LabelSchema
from ...model.text import words
from .builder import DocumentBuilder
from .exchange import dump_json, json_records, unheld
from .files import Faults, log_notices, named, read_text, write_text
from .records import first_record, id_text
from .tokens import tokens

_EXAMPLE = 'an example: {"tokenized_text": ["tokens"], "ner": [[first, last, "LABEL"]]}, last inclusive'


def read(path: Path, schema: LabelSchema) -> list[Document]:
    """Read a `.json` list or `.jsonl` lines of examples.

    Args:
        path: the file.
        schema: the labels and signatures to check against.

    Returns:
        Documents in the order of the file, the `id` of the example or `example-<n>`. Where `text` is given, the
        tokens are looked up in it; if `offsets` do not fit, they are found again in order, and that is logged.

    Raises:
        DataError: broken JSON, tokens that the text does not hold in this order, spans outside the tokens,
            labels that the schema lacks; up to 20 faults are listed with their lines.
    """
    faults, notices = Faults(path), Counter[str]()
    documents = []
    for n, (line, example) in enumerate(json_records(read_text(path), faults, accepted=_EXAMPLE), 1):
        name = id_text(example.get("id")) or f"example-{n}"
        document = _document(example, name, line, schema, faults, notices)
        if document is not None:
            documents.append(document)
    log_notices(path, notices)
    faults.raise_any()
    return documents


def write(documents: Sequence[Document], path: Path, schema: LabelSchema) -> Counter[str]:
    """Write a list of examples, one a line; a name ending in `.jsonl` gets lines without the list's brackets.

    Tokens are words, cut wherever a mention begins or ends, so that proclitics are tokens of their own.

    Args:
        documents: what to write.
        path: the file.
        schema: its labels go to `ner_labels` and `rel_labels`: what is not marked is a negative example.

    Returns:
        Clusters, scores and repeated mentions, which have no place.
    """
    lines = [dump_json(_example(name, document, schema)) for name, document in named(documents)]
    if path.suffix == ".jsonl":
        write_text(path, "".join(line + "\n" for line in lines))
    else:
        write_text(path, "[\n" + ",\n".join(lines) + "\n]\n")
    return unheld(documents, clusters=True)


def detects(path: Path) -> bool:
    """Whether `path` is a `.json` or `.jsonl` file whose first record has `tokenized_text`."""
    first = first_record(path)
    return isinstance(first, dict) and isinstance(first.get("tokenized_text"), list)


def _example(name: str, document: Document, schema: LabelSchema) -> dict[str, Any]:
    text, cut = document.text, tokens(document.text, [(e.start, e.end) for e in document.entities])
    first = {start: n for n, (start, _) in enumerate(cut)}
    last = {end: n for n, (_, end) in enumerate(cut)}
    row = {e.id: n for n, e in enumerate(document.entities)}
    example: dict[str, Any] = {
        "tokenized_text": [text[s:e] for s, e in cut],
        "ner": [[first[e.start], last[e.end], e.label] for e in document.entities],
        "ner_labels": list(schema.entity_labels),
    }
    if schema.relations:
        example["relations"] = [[row[r.head], row[r.tail], r.label] for r in document.relations]
        example["rel_labels"] = list(schema.relation_labels)
    return example | {"id": name, "text": text, "offsets": [list(span) for span in cut]}


def _document(
    example: Mapping[str, Any],
    id_: str,
    line: int,
    schema: LabelSchema,
    faults: Faults,
    notices: Counter[str],
) -> Document | None:
    row = example.get("tokenized_text")
    if not isinstance(row, list) or not all(isinstance(token, str) and token for token in row):
        faults.add("'tokenized_text' is no list of tokens", line=line, accepted=_EXAMPLE)
        return None
    text = example.get("text")
    if not isinstance(text, str):
        text, offsets = " ".join(row), _joined(row)
    else:
        found = _offsets(row, text, example.get("offsets"), id_, notices)
        if found is None:
            faults.add(
                f"document {id_!r}: the tokens do not stand in 'text' in this order",
                line=line,
                accepted="'text' with all tokens and nothing between them but blanks; or no 'text'",
            )
            return None
        offsets = found
    builder = DocumentBuilder(text, schema, faults, id_, notices)
    for n, (first, last, label) in _triples(example, "ner", line, faults):
        if 0 <= first <= last < len(offsets):
            builder.mention(f"T{n + 1}", offsets[first][0], offsets[last][1], label, line=line)
        else:
            found_at = f"document {id_!r}: the span [{first}, {last}, {label!r}] under 'ner'"
            accepted = f"0 <= first <= last < {len(offsets)}, the number of tokens; last is inclusive"
            builder.refuse(f"T{n + 1}", found_at, line=line, accepted=accepted)
    for _, (first, last, label) in _triples(example, "relations", line, faults):
        shown = f"[{first}, {last}, {label!r}] under 'relations'"
        builder.relate(f"T{first + 1}", label, f"T{last + 1}", line=line, shown=shown)
    return builder.build()


def _triples(
    example: Mapping[str, Any], key: str, line: int, faults: Faults
) -> Iterator[tuple[int, tuple[int, int, str]]]:
    """Yield (position, (int, int, label)) of the well-formed items of a list; note the others."""
    value = example.get(key) or []
    for n, item in enumerate(value if isinstance(value, list) else [value]):
        # Numbers beyond two and a label: some tools append the text of the span or a score.
        match item:
            case [int(a), int(b), str(label), *_]:
                yield n, (a, b, label)
            case _:
                faults.add(f"{str(item)[:60]!r} under {key!r}", line=line, accepted=_EXAMPLE)


def _joined(row: Sequence[str]) -> list[tuple[int, int]]:
    offsets, at = [], 0
    for token in row:
        offsets.append((at, at + len(token)))
        at += len(token) + 1
    return offsets


def _offsets(
    row: Sequence[str], text: str, given: Any, id_: str, notices: Counter[str]
) -> list[tuple[int, int]] | None:
    """Return the offsets of tokens in a text: those given if they fit, else in order; None if neither fits."""
    if isinstance(given, list) and len(given) == len(row):
        pairs = [
            tuple(p) for p in given if isinstance(p, list) and len(p) == 2 and all(type(x) is int for x in p)
        ]
        if len(pairs) == len(row) and all(
            0 <= s < e and text[s:e] == token for (s, e), token in zip(pairs, row, strict=True)
        ):
            return [(s, e) for s, e in pairs]
    found, at = [], 0
    for token in row:
        start = text.find(token, at)
        # A word left out between two tokens would mean that the wrong place was found.
        if start < 0 or words(text, at, start):
            return None
        found.append((start, at := start + len(token)))
    if given is not None:
        notices[
            f"document {id_!r}: offsets of {len(row)} tokens did not fit the text, found again in order"
        ] += 1
    return found
