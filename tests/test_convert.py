"""`isnad convert` and the registry: every format is told apart, and what is repaired or lost is said."""

import json
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from isnad.cli import app
from isnad.model.document import Document, Entity, Relation
from isnad.model.errors import ConfigError, DataError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.data import FORMATS, detect_format, read_documents, write_documents
from isnad.training.data.builder import schema_stamp
from isnad.training.data.convert import convert
from typer.testing import CliRunner

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
NAMES = {
    "brat": "brat",
    "inline": "inline.txt",
    "jsonl": "ours.jsonl",
    "conll": "columns.txt",
    "wojood": "nested.txt",
    "label-studio": "tasks.json",
    "doccano": "all.jsonl",
    "cas": "cas",
    "prodigy": "prodigy.jsonl",
    "docbin": "train.spacy",
    "gliner": "gliner.json",
    "datasets": "parquet",
}
NEEDS = {"cas": "cassis", "docbin": "spacy", "datasets": "datasets"}
EXACT = ("brat", "inline", "jsonl", "label-studio", "doccano", "cas", "prodigy", "datasets")


def needed(name: str) -> None:
    if name in NEEDS and find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["convert", *map(str, arguments)])
    assert not result.stdout
    return result.exit_code, result.stderr


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_told_from_all_others(tmp_path, articles, schema, name):
    needed(name)
    path = tmp_path / NAMES[name]
    lost = write_documents(articles, path, format=name, schema=schema)
    assert next(n for n, f in FORMATS.items() if f.detects(path)) == name
    assert detect_format(path).name == name
    back = read_documents(path, schema=schema)
    if name in EXACT:
        assert lost == {}
        for before, after in zip(articles, back, strict=True):
            assert (after.id, after.text) == (before.id, before.text)
            assert [(e.start, e.end, e.label, e.cluster) for e in after.entities] == [
                (e.start, e.end, e.label, e.cluster) for e in before.entities
            ]
            assert [r.label for r in after.relations] == [r.label for r in before.relations]
    else:
        assert lost and all(n > 0 for n in lost.values())


@pytest.mark.parametrize("name", FORMATS)
def test_what_any_format_keeps_and_loses_adds_up(tmp_path, articles, schema, name):
    """Scored documents with mentions that nest and cross: nothing goes without being counted."""
    needed(name)
    hard = [with_scores(document) for document in articles]
    path = tmp_path / NAMES[name]
    lost = write_documents(hard, path, format=name, schema=schema)
    back = read_documents(path, schema=schema, format=name)
    kept_scores = any(e.score != 1.0 for d in back for e in d.entities)
    assert kept_scores != ("scores" in lost)
    for kind, count in (
        ("relations", lambda d: len(d.relations)),
        ("coreference clusters", lambda d: len(d.clusters)),
    ):
        total = sum(map(count, hard))
        assert sum(map(count, back)) == total - lost[kind]
    entities = sum(n for kind, n in lost.items() if "entities" in kind or "mentions" in kind)
    assert sum(len(d.entities) for d in back) == sum(len(d.entities) for d in hard) - entities


def with_scores(document: Document) -> Document:
    """Return the document as a model would make it, with a mention that crosses two others."""
    entities: list[Entity] = [replace(e, score=0.75) for e in document.entities]
    relations: list[Relation] = [replace(r, score=0.5) for r in document.relations]
    text = document.text
    crossed = next(e for e in document.entities if " " in e.text and text[e.start - 1] == " ")
    start = text.rfind(" ", 0, crossed.start - 1) + 1
    end = crossed.start + crossed.text.index(" ")
    crossing = make_entity(text, start, end, "EVENT", id="T9999", score=0.25)
    made = sorted([*entities, crossing], key=lambda e: (e.start, -e.end))
    return replace(document, entities=tuple(made), relations=tuple(relations), model="isnad-small")


def test_every_pair_of_exact_formats(tmp_path, articles, schema):
    pairs = [(a, b) for a in EXACT for b in EXACT if a != b and a not in NEEDS and b not in NEEDS]
    for name in EXACT:
        if name not in NEEDS:
            write_documents(articles[:1], tmp_path / NAMES[name], format=name, schema=schema)
    for a, b in pairs:
        target = tmp_path / f"{a}-to" / NAMES[b]
        done = convert(str(tmp_path / NAMES[a]), target, to=b, schema=schema)
        assert (done.read_as, done.written_as, done.documents, done.lost) == (a, b, 1, {})
        (back,) = read_documents(target, schema=schema)
        (gold,) = articles[:1]
        assert [(e.start, e.end, e.label, e.cluster) for e in back.entities] == [
            (e.start, e.end, e.label, e.cluster) for e in gold.entities
        ]
        assert [(r.label) for r in back.relations] == [(r.label) for r in gold.relations]


def test_a_conversion_accounts_for_all(tmp_path, articles, schema):
    done = convert("seeds:articles", tmp_path / "a.conll", to="conll", schema=schema)
    assert (done.read_as, done.documents, done.entities, done.relations) == ("", 5, 392, 148)
    assert done.clusters == sum(len(d.clusters) for d in articles)
    assert done.lost == Counter(
        {"nested entities": 45, "relations": 148, "coreference clusters": done.clusters}
    )
    back = read_documents(tmp_path / "a.conll", schema=schema)
    assert sum(len(d.entities) for d in back) == 392 - 45


def test_repairs_are_in_the_account_and_not_in_the_log(tmp_path, schema, caplog):
    tasks = tmp_path / "tasks.json"
    value = {"start": 0, "end": 5, "text": "بغداد", "labels": ["GPE"]}
    region = {"id": "r", "type": "labels", "value": value}
    tasks.write_text(
        json.dumps([{"data": {"text": "زار بغداد"}, "annotations": [{"result": [region]}]}]), encoding="utf-8"
    )
    done = convert(str(tasks), tmp_path / "a.jsonl", to="jsonl", schema=schema)
    (notice,) = done.notices
    assert "region r, 'بغداد', moved from 0–5 to 4–9" in notice
    assert not caplog.records
    read_documents(tasks, schema=schema)
    assert "moved from 0–5 to 4–9" in caplog.text  # elsewhere it is logged


def test_strict_writes_nothing(tmp_path, schema):
    target = tmp_path / "a.conll"
    with pytest.raises(
        DataError, match="conll does not hold 148 relations, 61 coreference clusters, 45 nested"
    ):
        convert("seeds:articles", target, to="conll", schema=schema, strict=True)
    assert list(tmp_path.iterdir()) == []
    assert convert("seeds:articles", target, to="jsonl", schema=schema, strict=True).lost == {}
    assert target.exists()


def test_faults_of_a_conversion(tmp_path, schema):
    with pytest.raises(DataError, match=r"unknown format 'label_studio'.*did you mean 'label-studio'"):
        convert("seeds:articles", tmp_path / "a", to="label_studio", schema=schema)
    with pytest.raises(DataError, match="no such file or folder"):
        convert(str(tmp_path / "no"), tmp_path / "a", to="jsonl", schema=schema)
    with pytest.raises(DataError, match="options for reading seeds:articles"):
        convert("seeds:articles", tmp_path / "a", to="jsonl", schema=schema, read_options={"scheme": "iob2"})
    source = tmp_path / "a.jsonl"
    convert("seeds:articles", source, to="jsonl", schema=schema)
    with pytest.raises(ConfigError, match="is the input"):
        convert(str(source), source, to="inline", schema=schema)
    with pytest.raises(
        DataError, match=r"unknown option 'shceme' of writing conll; accepted: did you mean 'scheme'"
    ):
        convert(str(source), tmp_path / "b", to="conll", schema=schema, write_options={"shceme": "bioes"})
    with pytest.raises(DataError, match="unknown option 'x' of reading jsonl; accepted: none"):
        convert(str(source), tmp_path / "b", to="conll", schema=schema, read_options={"x": "1"})


def test_the_command_says_what_is_lost(tmp_path):
    target = tmp_path / "a.conll"
    code, said = run("seeds:articles", target, "--to", "conll", "--write", "scheme=bioes")
    assert code == 0
    assert said == (
        f"wrote {target}: 5 documents, 392 entities, 148 relations\n"
        "not held by conll, and so lost:\n"
        "  148 relations\n   61 coreference clusters\n   45 nested entities\n"
    )
    assert "\tS-PERS\n" in target.read_text(encoding="utf-8")
    again = tmp_path / "b.jsonl"
    code, said = run(target, again, "--to", "jsonl", "--read", "scheme=bioes", "--read", "tag_column=-1")
    assert (code, said) == (0, f"wrote {again}: 5 documents, 347 entities, 0 relations\n")


def test_the_command_lists_repairs_and_refuses_what_it_must(tmp_path):
    source, target = tmp_path / "in.conll", tmp_path / "out.jsonl"
    source.write_text("في OO\nبغداد I-GPE\n" + "قال O\nعلي B-PERS\n" * 10, encoding="utf-8")
    code, said = run(source, target, "--to", "jsonl")
    assert code == 0
    assert said.startswith(f"note: {source}:\n")
    assert "  line 1: في OO read as O\n" in said
    assert "  line 2: بغداد I-GPE read as B-GPE\n" in said
    before = target.read_bytes()
    for arguments, message in (
        ((source, target, "--to", "jsonl"), "already there; choose another output, or pass --overwrite"),
        ((source, source, "--to", "jsonl", "--overwrite"), "is the input and would be overwritten"),
        (
            (source, tmp_path / "x", "--to", "conll", "--read", "scheme"),
            "--read 'scheme'; write it as KEY=VALUE",
        ),
        ((source, tmp_path / "x", "--to", "brat", "--read", "tag_column=b"), "accepted: a whole number"),
        (
            ("seeds:articles", tmp_path / "x", "--to", "conll", "--strict"),
            "conll does not hold 148 relations",
        ),
    ):
        code, said = run(*arguments)
        assert code == 2, said
        assert said.startswith("error: ") and message in " ".join(said.split())
    assert target.read_bytes() == before
    assert not (tmp_path / "x").exists()


def test_help_names_every_format_and_option():
    result = CliRunner().invoke(app, ["convert", "--help"])
    shown = " ".join(result.stdout.replace("│", " ").split())
    assert all(f" {name} " in shown.replace(",", " ") for name in FORMATS)
    options = {o for f in FORMATS.values() for o in (*f.read_options, *f.write_options)}
    assert all(option in shown for option in options)


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, articles, schema):
    from isnad.training.data import exchange

    monkeypatch.setattr(exchange, "find_spec", lambda name: None)
    for name, package in NEEDS.items():
        path = tmp_path / NAMES[name]
        with pytest.raises(ConfigError, match=rf"{package}.*pip install 'isnad\[formats\]'"):
            write_documents(articles, path, format=name, schema=schema)
        assert not path.exists()


def test_documents_of_any_kind_stay_whole_through_the_tools(tmp_path):
    """Marks, presentation forms, emoji before a span, all line ends, an empty text, and a text without a mention."""
    texts = ["😀👨‍👩‍👧 قالَ مُحَمَّدٌ\r\nفي ﷲ \u200fبغداد\r\n", "", "لا شيء هنا\u2028إلا هذا", "ﺑﻐﺪﺍﺩ ٢٠٢٠ بغـداد"]
    documents = []
    for n, text in enumerate(texts, 1):
        marked = [
            (w, label)
            for w, label in (("مُحَمَّدٌ", "PERS"), ("بغداد", "GPE"), ("ﺑﻐﺪﺍﺩ", "GPE"), ("بغـداد", "GPE"))
            if w in text
        ]
        spans = [(text.index(w), text.index(w) + len(w), label) for w, label in marked]
        entities = tuple(make_entity(text, *span, id=f"T{i}") for i, span in enumerate(spans, 1))
        documents.append(Document(text, entities, id=f"نص-{n}", schema=schema_stamp(SCHEMA)))
    for name in (*EXACT, "conll"):
        if name in NEEDS and find_spec(NEEDS[name]) is None:
            continue
        path = tmp_path / NAMES[name]
        assert write_documents(documents, path, format=name, schema=SCHEMA) == {}, name
        assert detect_format(path).name == name
        assert read_documents(path, schema=SCHEMA) == documents, name
