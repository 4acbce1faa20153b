"""The benchmark report: its numbers, tables and sentences, and faulty folders by name."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

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
from isnad.eval.evaluate import evaluate
from isnad.eval.spans import Span, project
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError
from isnad.model.schema import LabelSchema


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


def test_browser_holds_each_error_with_its_place(folder: Path, toy_gold: list[Document]) -> None:
    (part,) = browser_data(load_benchmark(folder))
    labels = [label for label, _, _ in part["labels"]]
    assert part["models"] == ["old", "new"] and part["documents"] == ["d1", "d2"]
    seen = []
    for document, text, rtl, gold, errors in part["sentences"]:
        assert rtl == 1 and text in toy_gold[document].text
        spans = [(text[s:e], labels[n]) for s, e, n in gold]
        assert set(spans) <= {(e.text, e.label) for e in toy_gold[document].entities}
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
        toy_gold[0].text.split(" ثم", maxsplit=1)[0],
        "ثم عاد إلى طهران.",
        toy_gold[1].text,
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


def test_corpus_compared_in_two_ways_has_two_blocks(
    folder: Path, toy_schema: LabelSchema, toy_gold: list[Document], toy_new: list[Document]
) -> None:
    path = folder / "results/m1--toy.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["evaluation"] = evaluate(toy_gold, toy_new, toy_schema, convention="word", flat=True).to_dict()
    path.write_text(json.dumps(content), encoding="utf-8")
    names = [part["data"] for part in browser_data(load_benchmark(folder))]
    assert names == ["seeds:toy (character spans, nested)", "seeds:toy (whole words, outermost only)"]
    old, new = load_benchmark(folder).results
    assert change(new, old, "entity") is None  # not the same task: no difference


def test_stored_numbers_are_read_by_hand() -> None:
    found = measured(
        {"support": 4, "entities": [2, 1, 2], "relations": [0, 0, 0], "recall": 0.5, "note": "x"}
    )
    assert list(found) == ["entities", "recall"] and found["recall"] == Score(0.5)
    assert measured({"f1": 0.5, "interval": {"low": 0.4, "high": 0.6}}) == {"f1": Score(0.5, 0.4, 0.6)}
    assert measured({"false_positive_rate": 0.0, "pairs": 0}) == {}
    assert measured({"false_positive_rate": 0.25, "pairs": 8}) == {"false positive rate": Score(0.25)}
    assert measured(None) == {} and loss({"f1": 0.5}) is None


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
