"""The benchmark report: its numbers, and its files in four formats."""

import base64
import csv
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from isnad.eval.benchmark.report import COLUMNS, write_report
from isnad.eval.benchmark.report_data import load_benchmark
from isnad.eval.benchmark.report_errors import KINDS, browser_data, sentences
from isnad.eval.benchmark.report_numbers import (
    BOUNDARY,
    MISSED,
    SPURIOUS,
    Score,
    change,
    confusion,
    loss,
    measured,
)
from isnad.eval.benchmark.report_plots import Curve, curve_plot, reliability_plot
from isnad.eval.bootstrap import bootstrap
from isnad.eval.calibration import judge_spans
from isnad.eval.calibration_scores import measure_calibration
from isnad.eval.evaluate import evaluate
from isnad.eval.spans import Span, project
from isnad.model.document import Document, Relation
from isnad.model.errors import ConfigError, DataError
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


def annotate(
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
    annotate(
        "d1",
        VISIT,
        ("إسماعيل قاآني", "PERS"),
        ("بغداد", "GPE"),
        ("مصطفى الكاظمي", "PERS"),
        ("طهران", "GPE"),
        visited=True,
    ),
    annotate("d2", ARRIVAL, ("محمد", "PERS"), ("لُبْنان", "GPE")),
]
# A wrong type, a wrong end, a miss and an invention.
OLD = [
    annotate(
        "d1",
        VISIT,
        ("إسماعيل قاآني", "PERS"),
        ("بغداد", "ORG"),
        ("مصطفى", "PERS"),
        ("عاد", "ORG"),
        score=0.75,
    ),
    annotate("d2", ARRIVAL, ("محمد", "PERS"), ("لُبْنان", "GPE"), score=0.75),
]
NEW = [GOLD[0], annotate("d2", ARRIVAL, ("محمد", "PERS"))]


def write_folder(
    folder: Path,
    models: dict[str, Sequence[Document]],
    *,
    gold: Sequence[Document] = GOLD,
    schema: LabelSchema = SCHEMA,
    baseline: str = "old",
    keep: bool = True,
    **content: Any,
) -> Path:
    """Write what `isnad benchmark` writes; `keep` the documents too."""

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "run", {"old": OLD, "new": NEW})


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


def page(folder: Path) -> tuple[str, Page]:
    (path,) = write_report(folder, formats=["html"])
    source = path.read_text(encoding="utf-8")
    return source, Page(source)


def test_writes_whole_files_in_the_order_asked_for(folder: Path) -> None:
    written = write_report(folder, formats=("csv", "md", "json", "html"))
    assert [p.name for p in written] == ["report.csv", "report.md", "report.json", "report.html"]
    assert {p.name for p in folder.iterdir() if p.name.startswith((".", "report"))} == {
        p.name for p in written
    }
    again = [p.read_bytes() for p in written]
    assert [p.read_bytes() for p in write_report(folder, formats=("csv", "md", "json", "html"))] == again


def test_csv_has_a_row_for_each_model_and_label(folder: Path) -> None:
    (path,) = write_report(folder, formats=["csv"])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    found = {(r["model"], r["kind"], r["label"]): r for r in rows}
    counts = {
        key: (int(r["tp"]), int(r["fp"]), int(r["fn"])) for key, r in found.items() if r["kind"] == "entity"
    }
    assert counts == {
        ("old", "entity", "PERS"): (2, 1, 1),
        ("old", "entity", "GPE"): (1, 0, 2),
        ("old", "entity", "ORG"): (0, 2, 0),
        ("new", "entity", "PERS"): (3, 0, 0),
        ("new", "entity", "GPE"): (2, 0, 1),
    }
    gpe, micro = found["old", "entity", "GPE"], found["old", "entity average", "micro"]
    assert [float(gpe[m]) for m in ("precision", "recall", "f1")] == [1, 0.333333, 0.5]
    assert float(gpe["f1_low"]) <= 0.5 <= float(gpe["f1_high"])
    assert (float(micro["f1"]), micro["gold"], micro["predicted"]) == (0.5, "6", "6")
    assert found["new", "relation", "visited"]["tp"] == "1"
    assert found["new", "relation", "visited"]["f1_low"] == ""  # one document has it: no interval
    assert found["old", "entity average", "macro"]["tp"] == ""


def test_json_has_all_numbers(folder: Path) -> None:
    (path,) = write_report(folder, formats=["json"])
    data = json.loads(path.read_text(encoding="utf-8"))
    old, new = data["results"]
    assert (old["model"], new["model"], data["baseline"], data["data"]) == (
        "old",
        "new",
        "old",
        ["seeds:toy"],
    )
    assert new["summary"]["entities"]["micro"]["f1"] == pytest.approx(10 / 11)
    assert old["versus_baseline"] == {"entity": None, "relation": None}
    assert new["versus_baseline"]["entity"]["difference"] == pytest.approx(10 / 11 - 0.5)
    assert old["confusion"] == {
        "PERS": {"PERS": 2, BOUNDARY: 1},
        "GPE": {"GPE": 1, "ORG": 1, MISSED: 1},
        SPURIOUS: {"ORG": 1},
    }
    assert new["intervals"]["entities"]["micro"]["f1"]["low"] <= 10 / 11
    assert new["seconds"] == 1.5


def test_rows_of_the_confusion_matrix_add_up_to_the_support(
    articles: list[Document], schema: LabelSchema
) -> None:
    shifted = [
        replace(d, entities=tuple(e for n, e in enumerate(d.entities) if n % 3), relations=(), clusters=())
        for d in articles
    ]
    evaluation = evaluate(articles, shifted, schema)
    rows, columns, cells = confusion(evaluation)
    for label, counts in evaluation.entities.items():
        assert sum(cells.get((label, c), 0) for c in columns) == counts.support
    predicted = sum(n for (_, column), n in cells.items() if column != MISSED)
    assert predicted == evaluation.entities.micro.predicted
    assert {row for row, _ in cells} <= set(rows)


def test_markdown_tables(folder: Path) -> None:
    (path,) = write_report(folder, formats=["md"])
    text = path.read_text(encoding="utf-8")
    tables = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", text, re.M)]
    for lines in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, lines
    board = next(t for t in tables if t[0].startswith("| Model | Data | Span F1 | Δ span F1 |"))
    assert [line.split(" | ")[0] for line in board[2:]] == ["| new", "| old"]
    assert "+40.9 [" in board[2] and "baseline" in board[3] and "50.0 [" in board[3]


def test_page_is_well_formed_and_reaches_for_nothing(folder: Path) -> None:
    source, parsed = page(folder)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", re.sub(r"(?m)^\s*//.*$", "", source))
    assert not {tag for tag, _ in parsed.tags} & {"link", "img", "iframe", "object", "base"}
    assert not [k for _, named in parsed.tags for k in named if k.startswith("on") or k == "src"]
    policy = next(v["content"] for t, v in parsed.tags if t == "meta" and "http-equiv" in v)
    run = [text for named, text in parsed.scripts if named.get("type") != "application/json"]
    digest = base64.b64encode(hashlib.sha256(run[0].encode()).digest()).decode()
    assert len(run) == 1 and f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    ids = [named["id"] for _, named in parsed.tags if "id" in named]
    assert len(ids) == len(set(ids))
    assert {"leaderboard", "entities", "relations", "confusion", "errors", "about"} <= set(ids)
    linked = {v["href"][1:].split("?")[0] for t, v in parsed.tags if t == "a"}
    assert linked <= set(ids)
    scores = [c.split()[0] for c in parsed.cells if c.strip()]
    assert {"90.9", "50.0", "66.7", "+40.9"} <= set(scores)


def test_names_labels_and_texts_are_escaped(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>'
    text = "قال </script><script>alert(2)</script> محمد <!-- شيئا."
    schema = LabelSchema.from_dict({"name": "evil", "entities": [{"name": evil}]})
    gold = [annotate("<b>d|1</b>", text, ("محمد", evil))]
    found = [annotate("<b>d|1</b>", text, ("شيئا", evil))]
    write_folder(
        tmp_path,
        {evil: found, "|[x](y)": gold},
        gold=gold,
        schema=schema,
        baseline=evil,
        slices={evil: {evil: [1, 2, 3]}},
    )
    (tmp_path / "speed.json").write_text(json.dumps({"machine": evil, "models": {evil: {evil: 1.5}}}))
    source, parsed = page(tmp_path)
    assert "<script>alert" not in source and "<b>" not in source and "<!-- " not in source
    assert len([1 for named, _ in parsed.scripts if named.get("type") != "application/json"]) == 1
    ((_, stored),) = [s for s in parsed.scripts if s[0].get("type") == "application/json"]
    assert json.loads(stored)["sentences"][0][1] == text
    assert evil in parsed.cells
    (path,) = write_report(tmp_path, formats=["md"])
    assert "<script" not in path.read_text(encoding="utf-8") and r"\|\[x\](y)" in path.read_text(
        encoding="utf-8"
    )


def test_browser_holds_each_error_with_its_place(folder: Path) -> None:
    (part,) = browser_data(load_benchmark(folder))
    labels = [label for label, _, _ in part["labels"]]
    assert part["models"] == ["old", "new"] and part["documents"] == ["d1", "d2"]
    seen = []
    for document, text, rtl, gold, errors in part["sentences"]:
        assert rtl == 1 and text in GOLD[document].text
        spans = [(text[s:e], labels[n]) for s, e, n in gold]
        assert set(spans) <= {(e.text, e.label) for e in GOLD[document].entities}
        for model, items in errors:
            for kind, index, *rest in items:
                predicted = (text[rest[0] : rest[1]], labels[rest[2]], rest[3]) if rest else None
                seen.append((model, KINDS[kind].value, spans[index] if index >= 0 else None, predicted))
    assert sorted(seen, key=str) == sorted(
        [
            (0, "type", ("بغداد", "GPE"), ("بغداد", "ORG", 0.75)),
            (0, "boundary", ("مصطفى الكاظمي", "PERS"), ("مصطفى", "PERS", 0.75)),
            (0, "missed", ("طهران", "GPE"), None),
            (0, "spurious", None, ("عاد", "ORG", 0.75)),
            (1, "missed", ("لُبْنان", "GPE"), None),
        ],
        key=str,
    )
    assert [s[1] for s in part["sentences"]] == [
        VISIT.split(" ثم", maxsplit=1)[0],
        "ثم عاد إلى طهران.",
        ARRIVAL,
    ]


def test_sentences_lose_no_word_and_cut_no_span(articles: list[Document]) -> None:
    for document in articles:
        spans = list(project(document).values())
        pieces = sentences(document.text, spans)
        shown = "".join(document.text[a:b] for a, b in pieces)
        assert "".join(shown.split()) == "".join(document.text.split())
        assert len(pieces) > 3
        for s in spans:
            assert any(a <= s.start and s.end <= b for a, b in pieces), s
    text = "قال د. محمد. ثم عاد."
    assert sentences(text, []) == [(0, 12), (13, 20)]  # not after the abbreviation
    assert sentences(text, [Span(7, 15, "PERS")]) == [(0, len(text))]
    assert sentences(" \n ", []) == []
    assert sentences(" \n أ", [Span(1, 4, "PERS")]) == [(1, 4)]


def test_corpus_compared_in_two_ways_has_two_blocks(folder: Path) -> None:
    path = folder / "results/m1--toy.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["evaluation"] = evaluate(GOLD, NEW, SCHEMA, convention="word", flat=True).to_dict()
    path.write_text(json.dumps(content), encoding="utf-8")
    names = [part["data"] for part in browser_data(load_benchmark(folder))]
    assert names == ["seeds:toy (character spans, nested)", "seeds:toy (whole words, outermost only)"]
    old, new = load_benchmark(folder).results
    assert change(new, old, "entity") is None  # not the same task: no difference


def test_optional_parts_may_be_missing(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"old": OLD}, keep=False)
    (folder / "benchmark.json").unlink()
    source, parsed = page(folder)
    assert "No predictions were kept" in source and "errors" in parsed.ids()
    assert not {"speed", "slices", "robustness", "calibration", "curves", "browser"} & parsed.ids()
    assert not [named for named, _ in parsed.scripts if named.get("type") == "application/json"]
    for name in ("md", "json", "csv"):
        assert write_report(folder, formats=[name])[0].stat().st_size > 100


def test_optional_parts_show_when_they_are_there(tmp_path: Path) -> None:
    spread = {"low": 0.1, "high": 0.3}
    folder = write_folder(
        tmp_path,
        {"old": OLD, "new": NEW},
        slices={
            "denied": {
                "support": 6,
                "entities": [3, 3, 3],
                "relations": [0, 0, 0],
                "false_pairs": 1,
                "pairs": 4,
            }
        },
        robustness={
            "ocr": {
                "f1": 0.3,
                "clean_f1": 0.5,
                "drop": 0.2,
                "interval": spread,
                "p_value": 0.01,
                "p_adjusted": 0.01,
                "relations": {"f1": 0.125, "clean_f1": 0.25, "drop": 0.125, "interval": None, "p_value": 0.5},
            }
        },
        calibration={"spans": measure_calibration(judge_spans(GOLD, OLD), samples=10).to_dict()},
    )
    points = [
        {"size": n, "seed": s, "mentions": 9, "scores": {"span_f1": 0.1 * n + 0.01 * s}}
        for n in (1, 2)
        for s in (1, 2)
    ]
    (folder / "learning_curves.json").write_text(
        json.dumps([{"model": "new", "data": "x", "points": points}])
    )
    timed = {
        "words_per_second": 900.0,
        "ratio": {"value": 1.25, "low": 1.1, "high": 1.4},
        "size": 2**21,
        "cold_start": {"p50": 0.5, "p95": 0.75, "n": 3},
    }
    (folder / "speed.json").write_text(json.dumps({"rounds": 5, "models": {"new": timed}}))
    _, parsed = page(folder)
    assert {"speed", "slices", "robustness", "calibration", "curves"} <= parsed.ids()
    cells = [" ".join(c.split()) for c in parsed.cells]
    for cell in (
        "50.0 50.0 50.0",
        "25.0",
        "-12.5 p = 0.500",
        "-20.0 [-30.0, -10.0] p = 0.010",
        "1.25 [1.1, 1.4]",
        "500",
        "750",
        "2",
    ):
        assert cell in cells, cell
    text = write_report(folder, formats=["md"])[0].read_text(encoding="utf-8")
    assert "-20.0 [-30.0, -10.0], p = 0.010" in text and "1.25 [1.1, 1.4]" in text


def test_stored_numbers_are_read_by_hand() -> None:
    found = measured(
        {"support": 4, "entities": [2, 1, 2], "relations": [0, 0, 0], "recall": 0.5, "note": "x"}
    )
    assert list(found) == ["entities", "recall"] and found["recall"] == Score(0.5)
    assert measured({"f1": 0.5, "interval": {"low": 0.4, "high": 0.6}}) == {"f1": Score(0.5, 0.4, 0.6)}
    assert measured({"false_positive_rate": 0.0, "pairs": 0}) == {}
    assert measured({"false_positive_rate": 0.25, "pairs": 8}) == {"false positive rate": Score(0.25)}
    assert measured(None) == {} and loss({"f1": 0.5}) is None


def test_plots() -> None:
    bins = [
        {"low": 0.0, "high": 0.5, "n": 0, "score_sum": 0.0, "correct": 0},
        {"low": 0.5, "high": 1.0, "n": 4, "score_sum": 3.0, "correct": 2},
    ]
    drawn = reliability_plot("<مثال>", bins)
    Page(drawn)
    assert drawn.count('class="bin"') == 1 and "<مثال>" not in drawn
    assert 'cx="220.0" cy="128.0"' in drawn  # mean score 0.75, half of them right, in 232 x 232 at (46, 12)
    lines = [Curve("a", [(10, Score(0.2, 0.1, 0.3)), (100, Score(0.4))]), Curve("b", [(10, Score(0.3))], 1)]
    assert curve_plot("t", lines, x_title="n").count('class="mark s0"') == 2
    assert curve_plot("t", [Curve("a", [])], x_title="n") == ""


@pytest.mark.parametrize("make", [False, True])
def test_empty_folder_says_what_to_run(tmp_path: Path, make: bool) -> None:
    folder = tmp_path / "nothing"
    if make:
        folder.mkdir()
    with pytest.raises(DataError, match="isnad benchmark MODEL"):
        write_report(folder)
    assert not list(tmp_path.glob("**/report.*"))


def test_faults_are_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'html'"):
        write_report(folder, formats=["htm"])
    twin = folder / "results/zz--toy.json"
    twin.write_bytes((folder / "results/m0--toy.json").read_bytes())
    with pytest.raises(DataError, match=r"in m0--toy\.json and in zz--toy\.json"):
        write_report(folder)
    twin.write_text("{}")
    with pytest.raises(DataError, match=r"zz--toy\.json: not a result file"):
        write_report(folder)
    twin.unlink()
    (folder / "gold/toy.jsonl").write_text('{"text": 3}\n')
    with pytest.raises(DataError, match=r"toy\.jsonl:1"):
        write_report(folder)
