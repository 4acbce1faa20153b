"""The counts in the data sheet `seeds/README.md`.

`python -m isnad.training.data.datasheet` rewrites them in place; a test compares them with the data.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...model.document import Document
from ...model.folding import fold
from ...model.schema import LabelSchema
from .files import read_text, write_text
from .seeds import load_articles, load_authored, load_metadata, seeds_folder
from .split import set_of

BEGIN, END = "<!-- counts: begin (python -m isnad.training.data.datasheet) -->", "<!-- counts: end -->"

# Frequent news words that are written with a hamza on or under the alef. A text that leaves most of these
# hamzas out imitates the orthography of the web.
_HAMZA_LIST = (
    "إلى أن إن أو أنه إنه أنها إنها أنهم إنهم أكد أكدت إذا أعلن أعلنت أمس أكثر أمام أخرى آخر أيضا أضاف أضافت "
    "أشار أشارت إثر أثر أي أدت أدى أفاد أفادت أثناء أقل أسفر أسفرت الأول الأخير الأخيرة الأحد الأربعاء"
)
_HAMZA_WORDS = frozenset(_HAMZA_LIST.split())
_BARE_WORDS = frozenset(w.translate(str.maketrans("أإآ", "ااا")) for w in _HAMZA_WORDS)
_MARKS = re.compile("[\u064b-\u0652\u0640]")
ROUGH_SHARE = 0.4


def rough_orthography(text: str) -> bool:
    """Whether a text imitates careless web orthography.

    True where at least `ROUGH_SHARE` of its frequent hamza words (also after و and ف) stand without their
    hamza. A text without any such word counts as careful.
    """
    words = [
        w
        for raw in re.findall(r"\w+", _MARKS.sub("", text))
        for w in (raw, raw[1:] if raw[0] in "وف" else "")
    ]
    bare = sum(w in _BARE_WORDS for w in words)
    careful = sum(w in _HAMZA_WORDS for w in words)
    return bare > 0 and bare >= ROUGH_SHARE * (bare + careful)


def shared_ngrams(
    left: Sequence[Document], right: Sequence[Document], n: int = 8
) -> dict[tuple[str, str], int]:
    """Count the word n-grams that a document of `left` shares with one of `right`.

    Words are compared after folding (no diacritics, one form of alef, yaa and digits).

    Returns:
        (left id, right id) to the number of different n-grams in both; pairs without one are left out.
    """
    holders: dict[tuple[str, ...], list[str]] = {}
    for document in left:
        for gram in _ngrams(document.text, n):
            holders.setdefault(gram, []).append(document.id)
    shared: Counter[tuple[str, str]] = Counter()
    for document in right:
        for gram in _ngrams(document.text, n):
            shared.update((other, document.id) for other in holders.get(gram, ()))
    return dict(shared)


def counts_table(schema: LabelSchema) -> str:
    """Return the Markdown tables of the data sheet, made from the files in `seeds/`."""
    parts = {
        "articles": load_articles(schema),
        "train": load_authored(schema, "train"),
        "dev": load_authored(schema, "dev"),
    }
    totals = {name: _totals(documents) for name, documents in parts.items()}
    entities = {name: Counter(e.label for d in docs for e in d.entities) for name, docs in parts.items()}
    clustered = {
        name: Counter(d.by_id()[c[0]].label for d in docs for c in d.clusters) for name, docs in parts.items()
    }
    relations = {name: Counter(r.label for d in docs for r in d.relations) for name, docs in parts.items()}
    sets = {name: Counter(set_of(d.id) for d in docs) for name, docs in parts.items() if name != "articles"}
    rows = [_row("", parts), "|---|" + "--:|" * len(parts)]
    rows += [_row(key, {name: totals[name][key] for name in parts}) for key in totals["articles"]]
    rows += ["", "| entity type | " + " | ".join(f"{p} | groups" for p in parts) + " |", "|---|" + "--:|" * 6]
    for label in schema.entity_labels:
        cells = [f"{entities[p][label]:,} | {clustered[p][label]:,}" for p in parts]
        rows.append(f"| {label} | " + " | ".join(cells) + " |")
    rows += ["", _row("relation", parts), "|---|" + "--:|" * len(parts)]
    rows += [_row(label, {p: f"{relations[p][label]:,}" for p in parts}) for label in schema.relation_labels]
    rows += ["", "| set | train | dev |", "|---|--:|--:|"]
    rows += [f"| {name} | {n} | {sets['dev'][name]} |" for name, n in sorted(sets["train"].items())]
    rows += ["", *_overlap_rows(parts["train"], parts["dev"], parts["articles"])]
    return "\n".join(rows)


def updated(readme: str, table: str) -> str:
    """Return the data sheet with the text between its two markers replaced."""
    head, _, rest = readme.partition(BEGIN)
    _, marker, tail = rest.partition(END)
    if not marker:
        raise ValueError(f"the data sheet lacks the lines {BEGIN!r} and {END!r}")
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}"


def _totals(documents: Sequence[Document]) -> dict[str, str]:
    metadata = load_metadata()
    entities = [(d, e) for d in documents for e in d.entities]
    nested = sum(_nested(d) for d in documents)
    proclitics = sum(0 <= e.word_start < e.start for _, e in entities)
    rough = sum(metadata[d.id]["rough"] for d in documents)
    clusters = [c for d in documents for c in d.clusters]
    return {
        "documents": f"{len(documents):,}",
        "text lines": f"{sum(bool(line.strip()) for d in documents for line in d.text.split(chr(10))):,}",
        "words (between blanks)": f"{sum(len(d.text.split()) for d in documents):,}",
        "entities": f"{len(entities):,}",
        "… inside another entity": f"{nested:,} ({nested / len(entities):.1%})",
        "… after a proclitic that stays outside": f"{proclitics:,} ({proclitics / len(entities):.1%})",
        "relations": f"{sum(len(d.relations) for d in documents):,}",
        "coreference groups": f"{len(clusters):,}",
        "… mentions in them": f"{sum(map(len, clusters)):,}",
        "documents in rough orthography": f"{rough:,} ({rough / len(documents):.1%})",
    }


def _nested(document: Document) -> int:
    """Count mentions that lie inside another one; of two with the same span, the later listed."""
    end, count = -1, 0
    for e in document.entities:  # sorted by start, longer first: whoever reaches further came before
        count += e.end <= end
        end = max(end, e.end)
    return count


def _ngrams(text: str, n: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", fold(text))
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def _row(head: str, cells: dict[str, str] | dict[str, list[Document]]) -> str:
    values = [v if isinstance(v, str) else name for name, v in cells.items()]
    return f"| {head} | " + " | ".join(values) + " |"


def _overlap_rows(train: list[Document], dev: list[Document], articles: list[Document]) -> list[str]:
    cases = {"dev against train": (dev, train), "articles against train and dev": (articles, train + dev)}
    rows = ["| share that the other side also has | " + " | ".join(cases) + " |", "|---|--:|--:|"]
    shares = {
        "mentions (same name and label)": [
            _known_share(_mentions(a), _mentions(b)) for a, b in cases.values()
        ],
        "PERS mentions": [_known_share(_mentions(a, "PERS"), _mentions(b)) for a, b in cases.values()],
        "relations (same names and label)": [
            _known_share(_triples(a), _triples(b)) for a, b in cases.values()
        ],
    }
    rows += [
        f"| {head} | " + " | ".join(f"{share:.1%}" for share in row) + " |" for head, row in shares.items()
    ]
    pairs = [shared_ngrams(b, a) for a, b in cases.values()]
    shown = [", ".join(f"{x} and {y} ({n})" for (x, y), n in sorted(p.items())) or "none" for p in pairs]
    return [*rows, f"| documents with a common run of eight words (number of runs) | {' | '.join(shown)} |"]


def _known_share(items: list[tuple[str, ...]], others: list[tuple[str, ...]]) -> float:
    known = set(others)
    return sum(item in known for item in items) / len(items)


def _mentions(documents: Sequence[Document], label: str = "") -> list[tuple[str, ...]]:
    return [(fold(e.name), e.label) for d in documents for e in d.entities if label in {"", e.label}]


def _triples(documents: Sequence[Document]) -> list[tuple[str, ...]]:
    names = [(d, {e.id: fold(e.name) for e in d.entities}) for d in documents]
    return [(of[r.head], r.label, of[r.tail]) for d, of in names for r in d.relations]


def main() -> None:
    """Rewrite the counts of `seeds/README.md`."""
    schema = LabelSchema.from_yaml(
        Path(__file__).resolve().parents[2] / "configs" / "schemas" / "wojood.yaml"
    )
    path = seeds_folder() / "README.md"
    write_text(path, updated(read_text(path), counts_table(schema)))


if __name__ == "__main__":
    main()
