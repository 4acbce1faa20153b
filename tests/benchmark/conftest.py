"""A folder as `isnad benchmark` leaves it, of two models on two short texts, and a strict reader of its page."""

import json
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from isnad.eval.benchmark.report import write_report
from isnad.eval.bootstrap import bootstrap
from isnad.eval.evaluate import evaluate
from isnad.model.document import Document, Relation
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity

SCHEMA = LabelSchema.from_dict(
    {
        "name": "toy",
        "entities": [{"name": "PERS", "corefers": True}, {"name": "GPE"}, {"name": "ORG"}],
        "relations": [{"name": "visited", "head": ["PERS"], "tail": ["GPE"]}],
    }
)
VISIT = "زار إسماعيل قاآني بغداد والتقى مصطفى الكاظمي. ثم عاد إلى طهران."
ARRIVAL = "وصل محمد 🚀 إلى لُبْنان."
VOID = {"meta", "input", "br"}


def _annotate(
    id_: str, text: str, *found: tuple[str, str], visited: bool = False, score: float = 1.0
) -> Document:
    """Return a document with entities (text, label), each at its first place."""
    places = [(text.index(part), part, label) for part, label in found]
    entities = tuple(
        make_entity(text, at, at + len(part), label, id=f"T{n}", score=score)
        for n, (at, part, label) in enumerate(places, 1)
    )
    relations = (Relation("T1", "visited", "T2"),) if visited else ()
    return Document(text, entities, relations, id=id_)


GOLD = [
    _annotate(
        "d1",
        VISIT,
        ("إسماعيل قاآني", "PERS"),
        ("بغداد", "GPE"),
        ("مصطفى الكاظمي", "PERS"),
        ("طهران", "GPE"),
        visited=True,
    ),
    _annotate("d2", ARRIVAL, ("محمد", "PERS"), ("لُبْنان", "GPE")),
]
# A wrong type, a wrong end, a miss and an invention.
OLD = [
    _annotate(
        "d1",
        VISIT,
        ("إسماعيل قاآني", "PERS"),
        ("بغداد", "ORG"),
        ("مصطفى", "PERS"),
        ("عاد", "ORG"),
        score=0.75,
    ),
    _annotate("d2", ARRIVAL, ("محمد", "PERS"), ("لُبْنان", "GPE"), score=0.75),
]
NEW = [GOLD[0], _annotate("d2", ARRIVAL, ("محمد", "PERS"))]


class Page(HTMLParser):
    """Parses strictly and keeps what the tests ask for."""

    def __init__(self, source: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.cells: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {k: v or "" for k, v in attrs}
        assert len(named) == len(attrs), f"<{tag}> repeats an attribute"
        self.tags.append((tag, named))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((named, ""))
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            named, text = self.scripts[-1]
            self.scripts[-1] = named, text + data
        elif "td" in self.open or "th" in self.open:
            self.cells[-1] += data

    def ids(self) -> set[str]:
        return {named["id"] for _, named in self.tags if "id" in named}


@pytest.fixture(scope="session")
def toy_schema() -> LabelSchema:
    """Three entity types and a relation."""
    return SCHEMA


@pytest.fixture(scope="session")
def toy_gold() -> list[Document]:
    """The gold annotation of both texts."""
    return list(GOLD)


@pytest.fixture(scope="session")
def toy_old() -> list[Document]:
    """What the old model finds: a wrong type, a wrong end, a miss and an invention."""
    return list(OLD)


@pytest.fixture(scope="session")
def toy_new() -> list[Document]:
    """What the new model finds: all but one place."""
    return list(NEW)


@pytest.fixture(scope="session")
def annotate() -> Callable[..., Document]:
    """Makes a document with entities (text, label), each at its first place."""
    return _annotate


@pytest.fixture(scope="session")
def write_folder() -> Callable[..., Path]:
    """Writes what `isnad benchmark` writes; `keep` the documents too."""

    def write(
        folder: Path,
        models: dict[str, Sequence[Document]],
        *,
        gold: Sequence[Document] = GOLD,
        schema: LabelSchema = SCHEMA,
        baseline: str = "old",
        keep: bool = True,
        **content: Any,
    ) -> Path:
        def lines(documents: Sequence[Document]) -> str:
            return "".join(d.to_json(indent=None) + "\n" for d in documents)

        for name in ("results", "gold", "predictions"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for n, (model, predicted) in enumerate(models.items()):
            evaluation = evaluate(gold, predicted, schema)
            result = {"model": model, "data": "seeds:toy", "evaluation": evaluation.to_dict()}
            result |= {"intervals": bootstrap(evaluation, samples=50).to_dict(), "seconds": 1.5} | content
            (folder / f"results/m{n}--toy.json").write_text(json.dumps(result), encoding="utf-8")
            if keep:
                (folder / f"predictions/m{n}--toy.jsonl").write_text(lines(predicted), encoding="utf-8")
                (folder / "gold/toy.jsonl").write_text(lines(gold), encoding="utf-8")
        (folder / "benchmark.json").write_text(json.dumps({"baseline": baseline, "models": list(models)}))
        return folder

    return write


@pytest.fixture
def folder(tmp_path: Path, write_folder: Callable[..., Path]) -> Path:
    """The folder of a benchmark of both models."""
    return write_folder(tmp_path / "run", {"old": OLD, "new": NEW})


@pytest.fixture(scope="session")
def parse() -> Callable[[str], Page]:
    """Parses HTML or SVG strictly."""
    return Page


@pytest.fixture(scope="session")
def page() -> Callable[[Path], tuple[str, Page]]:
    """Writes the page of a folder: its source, and what is on it."""

    def write(folder: Path) -> tuple[str, Page]:
        (path,) = write_report(folder, formats=["html"])
        source = path.read_text(encoding="utf-8")
        return source, Page(source)

    return write
