"""CAS, Prodigy, DocBin, GLiNER and parquet keep what they say they keep: real, hand-made and random documents."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import cas, docbin, exchange, gliner, hub, prodigy
from isnad.training.data.builder import DocumentBuilder
from isnad.training.data.files import Faults
from isnad.training.data.sources import load_source

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
FILES = {cas: "cas", prodigy: "a.jsonl", docbin: "a.spacy", gliner: "a.json", hub: "a.parquet"}
MODULES = pytest.mark.parametrize("module", FILES, ids=lambda m: m.__name__.rsplit(".", 1)[-1])
LOSES = {
    cas: {"scores", "model names"},
    prodigy: {"scores", "model names"},
    docbin: {"scores", "model names", "relations"},
    gliner: {"scores", "model names", "coreference clusters"},
    hub: set(),
}

PIECES = [
    *("قاآني", "فيلـق", "نصرالله", "نصر الله", "لعراق", "مُحَمَّد", "ﻻ", "ﷺ", "٢٠٢٠", "و", "ب", "ل", "وبغداد"),
    *(
        "[",
        "|",
        "\\",
        "#",
        ">",
        '"',
        "،",
        ".",
        "؟ ",
        "🇮🇶",
        "👨‍👩‍👧",
        "😀",
        "𐤀",
        "\u200f",
        "\u200d",
        "\ufeff",
        "é",
    ),
    *("\n", "\n", "\r\n", "\r", " ", " ", " ", "  ", "\t", "\u00a0", "\u2028", "\x85", "\0"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=20).map("".join)


def made(text: str, spans: list, relations: tuple = (), groups: tuple = (), id: str = "وثيقة-1") -> Document:
    builder = DocumentBuilder(text, SCHEMA, Faults(), id)
    for n, (start, end, label) in enumerate(sorted(spans, key=lambda s: (s[0], -s[1])), 1):
        builder.mention(f"T{n}", start, end, label)
    for head, label, tail in relations:
        builder.relate(head, label, tail)
    for group in groups:
        builder.group(group)
    document = builder.build()
    builder.faults.raise_any()
    return document


def kept(document: Document, module: object) -> Document:
    """What is left of a document that a module wrote."""
    if module is hub:
        return document
    entities = tuple(replace(e, score=1.0) for e in document.entities)
    relations = tuple(replace(r, score=1.0) for r in document.relations)
    if "coreference clusters" in LOSES[module]:
        document = replace(document, clusters=())
        entities = tuple(replace(e, cluster=None) for e in entities)
    if "relations" in LOSES[module]:
        relations = ()
    return replace(document, entities=entities, relations=relations, model="")


def lost(documents: list[Document], module: object) -> Counter[str]:
    counts = Counter(
        {
            "scores": sum(x.score != 1 for d in documents for x in (*d.entities, *d.relations)),
            "model names": sum(bool(d.model) for d in documents),
            "relations": sum(len(d.relations) for d in documents),
            "coreference clusters": sum(len(d.clusters) for d in documents),
        }
    )
    return +Counter({kind: n for kind, n in counts.items() if kind in LOSES[module]})


def check(documents: list[Document], module, path: Path) -> None:
    assert module.write(documents, path, SCHEMA) == lost(documents, module)
    back = {d.id: d for d in module.read(path, SCHEMA)}
    # CAS files are read in the order of their names.
    assert (
        sorted(back) == sorted(d.id for d in documents)
        if module is cas
        else list(back) == [d.id for d in documents]
    )
    for document in documents:
        assert back[document.id] == kept(document, module)


@MODULES
def test_the_articles_and_authored_texts_come_back(module, tmp_path):
    documents = load_source("seeds:articles", SCHEMA) + load_source("seeds:authored/dev", SCHEMA)[:12]
    assert sum(len(d.relations) for d in documents) > 100 and sum(len(d.clusters) for d in documents) > 50
    path = tmp_path / FILES[module]
    check(documents, module, path)
    assert [other for other in FILES if other.detects(path)] == [module]


HARD = {
    "emoji before": ("😀👨‍👩‍👧 زار قاآني بغداد 😀 والتقى الكاظمي", ["قاآني", "بغداد", "الكاظمي"]),
    "beyond the BMP inside": ("التقى 𐤀بو مهدي😀 في 𐤀", ["𐤀بو مهدي😀", "𐤀"]),
    "diacritics": ("قال مُحَمَّدٌ لِلْعِرَاقِ", ["مُحَمَّدٌ", "لْعِرَاقِ"]),
    "mark of its own": ("قال مُحمد", ["\u064fحمد"]),
    "line ends": ("خبر\r\nزار قاآني\r\n\r\nبغداد\r\n", ["قاآني\r\n\r\nبغداد", "بغداد", "قاآني"]),
    "presentation forms": ("وصل ﻻعب إلى ﺑﻐﺪﺍﺩ", ["ﻻعب", "ﺑﻐﺪﺍﺩ"]),
    "kashida": ("فيلـق القـدس لـحزب اللـه", ["فيلـق القـدس", "حزب اللـه"]),
    "proclitics and nesting": ("وبسفارة العراق", ["سفارة العراق", "العراق"]),
    "joined name": ("كلمة لحسن نصرالله أو نصر الله", ["حسن نصرالله", "نصر الله", "نصر"]),
    "blanks at the edges": ("زار  قاآني  بغداد ", ["  قاآني ", " ", "بغداد "]),
    "invisible": ("زار \u200fقاآني\u200f بغ\u200dداد\ufeff", ["\u200fقاآني", "بغ\u200dداد", "\ufeff"]),
    "control": ("زار\0قاآني\x1cبغداد", ["\0قاآني", "بغداد"]),
    "crossing": ("وزير خارجية العراق", ["وزير خارجية", "خارجية العراق"]),
    "digits": ("٢٣٠ ألف برميل يوم ١٥ آب ٢٠١٤", ["٢٣٠ ألف برميل", "١٥ آب ٢٠١٤"]),
    "no mention": ("لا أحد هنا.", []),
    "no text": ("", []),
    "blank text": (" \n ", []),
}


@MODULES
@pytest.mark.parametrize("name", HARD)
def test_hard_texts_come_back(module, name, tmp_path):
    text, names = HARD[name]
    spans = [(text.index(n), text.index(n) + len(n), "ORG") for n in names]
    relations = [("T1", "met_with", "T2"), ("T2", "part_of", "T1")] if len(names) > 1 else []
    groups = [("T1", "T2")] if len(names) > 1 else []
    check([made(text, spans, relations, groups, id=name)], module, tmp_path / FILES[module])


@st.composite
def documents(draw, *, id: str) -> Document:
    """Draw a document with nested, crossing and repeated spans, relations, clusters and sometimes scores."""
    text = draw(TEXTS)
    points = st.integers(0, len(text))
    labels = st.sampled_from(("PERS", "GPE", "ORG", "OCC"))
    drawn = draw(st.lists(st.tuples(points, points, labels), max_size=8)) if text else []
    spans = sorted(
        {(min(a, b), max(a, b), x) for a, b, x in drawn if a != b}, key=lambda s: (s[0], -s[1], s[2])
    )
    ids = [f"T{n}" for n in range(1, len(spans) + 1)]
    links = [
        (a, r, b)
        for a, (_, _, x) in zip(ids, spans, strict=True)
        for b, (_, _, y) in zip(ids, spans, strict=True)
        for r in ("visited", "conflict_with", "has_occupation", "located_in")
        if a != b and SCHEMA.allows(x, r, y)
    ]
    relations = draw(st.lists(st.sampled_from(links), max_size=4)) if links else []
    groups = [draw(st.lists(st.sampled_from(ids), unique=True, max_size=3))] if ids else []
    document = made(text, spans, tuple(relations), tuple(groups), id=id)
    if draw(st.booleans()):
        document = replace(
            document,
            entities=tuple(replace(e, score=0.25) for e in document.entities),
            relations=tuple(replace(r, score=1 / 3) for r in document.relations),
            model="isnad-small",
        )
    return document


BATCHES = st.tuples(*(documents(id=f"d-{n}") for n in range(4))).map(list)


@MODULES
def test_any_documents_come_back(module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")

    @settings(max_examples=60 if module in {prodigy, gliner} else 25, deadline=None, database=None)
    @given(BATCHES)
    def holds(drawn):
        check(drawn, module, folder / FILES[module])

    holds()


@MODULES
def test_a_second_mention_of_one_span_and_label_is_counted(module, tmp_path):
    document = made("زار قاآني بغداد", [(4, 9, "PERS"), (10, 15, "GPE")])
    twin = replace(document.entities[0], id="T9")
    document = replace(document, entities=(*document.entities, twin))
    path = tmp_path / FILES[module]
    counted = module.write([document], path, SCHEMA)
    assert counted == (Counter() if module is hub else Counter({"repeated mentions": 1}))
    assert len(module.read(path, SCHEMA)[0].entities) == (3 if module is hub else 2)


@MODULES
def test_two_documents_of_one_id(module, tmp_path):
    document = made("زار قاآني بغداد", [(4, 9, "PERS")])
    path = tmp_path / FILES[module]
    if module is hub:  # rows need no names
        assert module.write([document, document], path, SCHEMA) == Counter()
        assert module.read(path, SCHEMA) == [document, document]
        return
    with pytest.raises(DataError, match="used more than once"):
        module.write([document, document], path, SCHEMA)
    assert list(tmp_path.iterdir()) == []


@MODULES
def test_an_unwritable_place_is_one_sentence(module, tmp_path):
    (tmp_path / "occupied").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        module.write([made("قاآني", [(0, 5, "PERS")])], tmp_path / "occupied" / FILES[module], SCHEMA)


@MODULES
def test_a_missing_file_is_one_sentence(module, tmp_path):
    with pytest.raises(DataError, match=r"cannot read: No such file|not a parquet file"):
        module.read(tmp_path / "absent.json", SCHEMA)


@pytest.mark.parametrize("module", [cas, docbin, hub])
def test_a_missing_library_is_named_with_its_extra(module, tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "find_spec", lambda name: None)
    for use in (
        lambda: module.write([], tmp_path / FILES[module], SCHEMA),
        lambda: module.read(tmp_path / FILES[module], SCHEMA),
    ):
        with pytest.raises(ConfigError, match=r"pip install 'isnad\[formats\]'"):
            use()


@pytest.mark.parametrize("module", [cas, docbin, hub])
def test_half_a_surrogate_pair_is_refused(module, tmp_path):
    with pytest.raises(DataError, match="half of a surrogate pair"):
        module.write([made("قاآني \ud83d", [(0, 5, "PERS")])], tmp_path / FILES[module], SCHEMA)


@pytest.mark.parametrize("module", [prodigy, gliner])
def test_json_holds_half_a_surrogate_pair(module, tmp_path):
    check([made("قاآني \ud83d", [(0, 7, "PERS")])], module, tmp_path / FILES[module])
