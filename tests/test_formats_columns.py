"""Column formats: CoNLL restores texts and outermost mentions to the letter, Wojood keeps nesting."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.model.text import words
from isnad.training.data import conll, read_documents, write_documents
from isnad.training.data.builder import DocumentBuilder
from isnad.training.data.files import Faults
from isnad.training.data.sources import load_source

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
LABELS = ("PERS", "GPE", "ORG")

# Words that share letters with their neighbours, marks, kashida, presentation forms, digits that join letters,
# emoji beyond the BMP, invisible characters, line ends of all kinds, and what the layouts are made of.
PIECES = [
    *(
        "قاآني",
        "فيلـق",
        "مُحَمَّد",
        "ﻻ",
        "و",
        "ل",
        "٢٠٢٠",
        "a|b",
        "#",
        "# ",
        "-DOCSTART-",
        "_",
        "O",
        "B-PERS",
        "\\n",
        "id=",
    ),
    *("👨‍👩‍👧", "😀", "❤️", "\u200f", "\u200d", "\u061c", "\ufeff", "\0", "\u0651", ".", "؟ ", "،"),
    *(" ", " ", " ", "  ", "\n", "\n\n", "\r\n", "\r", "\t", "\u00a0", "\u2028", "\x85", "\x1c"),
]
ENTITY_LOSSES = (
    "nested entities",
    "crossing entities",
    "entities that share a word with another",
    "entities without a word",
    "repeated mentions",
)


def document_of(text: str, spans: list[tuple[int, int, str]], id_: str = "خبر") -> Document:
    builder = DocumentBuilder(text, SCHEMA, Faults(), id_)
    for n, span in enumerate(sorted(spans, key=lambda s: (s[0], -s[1])), 1):
        builder.mention(f"T{n}", *span)
    document = builder.build()
    builder.faults.raise_any()
    return document


@st.composite
def documents(draw) -> Document:
    text = "".join(draw(st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=30)))
    if not text:
        return document_of("", [])
    points = st.integers(0, len(text))
    drawn = draw(st.lists(st.tuples(points, points, st.sampled_from(LABELS)), max_size=8))
    # Mentions of whole words more often than chance would have them.
    places = words(text)
    if places:
        index = st.integers(0, len(places) - 1)
        for a, b, label in draw(st.lists(st.tuples(index, index, st.sampled_from(LABELS)), max_size=4)):
            drawn.append((places[min(a, b)][0], places[max(a, b)][1], label))
    return document_of(text, list({(min(a, b), max(a, b), label) for a, b, label in drawn if a != b}))


def spans_of(document: Document) -> list[tuple[int, int, str]]:
    return [(e.start, e.end, e.label) for e in document.entities]


def lost_entities(lost: Counter[str]) -> int:
    return sum(lost[kind] for kind in ENTITY_LOSSES)


def through(
    documents: list[Document], folder: Path, format: str, **options
) -> tuple[list[Document], Counter[str]]:
    path = folder / "ملف.conll"
    lost = write_documents(documents, path, format=format, schema=SCHEMA, options=options)
    return read_documents(path, format=format, schema=SCHEMA), lost


@settings(max_examples=60, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=3), st.sampled_from(conll.WRITTEN))
def test_conll_restores_texts_and_all_mentions_but_those_counted(tmp_path_factory, drawn, scheme):
    numbered = [document_of(d.text, spans_of(d), f"خبر {n}|=\\") for n, d in enumerate(drawn)]
    back, lost = through(numbered, tmp_path_factory.mktemp("c"), "conll", scheme=scheme)
    assert [d.text for d in back] == [d.text for d in numbered]
    assert [d.id for d in back] == [d.id for d in numbered]
    for before, after in zip(numbered, back, strict=True):
        assert set(spans_of(after)) <= set(spans_of(before))
    assert sum(len(d.entities) for d in back) + lost_entities(lost) == sum(len(d.entities) for d in numbered)
    assert set(lost) <= set(ENTITY_LOSSES)


@settings(max_examples=60, deadline=None)
@given(documents())
def test_conll_loses_only_what_overlaps_in_words_or_has_none(tmp_path_factory, document):
    (back,), _ = through([document], tmp_path_factory.mktemp("c"), "conll")
    covered = {
        s: {n for n, (a, b) in enumerate(words(document.text)) if a < s[1] and s[0] < b}
        for s in spans_of(document)
    }
    kept = set(spans_of(back))
    for span in set(spans_of(document)) - kept:
        assert not covered[span] or any(covered[span] & covered[other] for other in kept)
    assert all(not covered[a] & covered[b] for a in kept for b in kept if a != b)


@settings(max_examples=60, deadline=None)
@given(documents())
def test_wojood_keeps_words_and_nested_mentions(tmp_path_factory, document):
    places = words(document.text)
    if not places:
        return
    (back,), lost = through([document], tmp_path_factory.mktemp("w"), "wojood")
    plain = [document.text[a:b] for a, b in places]
    for char in "\u200d\u200f\u061c\ufeff\ufe0f":
        plain = [word.replace(char, "") for word in plain]
    assert back.text.split() == plain or lost["invisible characters in words"]

    def in_words(d: Document) -> Counter:
        where = list(_word_places(d.text))
        return Counter(
            (tuple(n for n, (a, b) in enumerate(where) if a < e.end and e.start < b), e.label)
            for e in d.entities
        )

    def _word_places(text: str):
        at = 0
        for word in text.split():
            at = text.index(word, at)
            yield at, at + len(word)
            at += len(word)

    before = Counter(
        (tuple(n for n, (a, b) in enumerate(places) if a < e.end and e.start < b), e.label)
        for e in document.entities
    )
    after = in_words(back)
    assert not after - before
    assert after.total() + lost_entities(lost) == len(document.entities)
    # What nests in words, and is not the same words with the same label, is never lost.
    runs = [set(run) for run, _ in before if run]
    if all(a <= b or b <= a or not a & b for a in runs for b in runs):
        assert set(after) == {key for key in before if key[0]}


def test_the_layout_of_the_docstring(tmp_path):
    text = "\u200fالتقى وقاآني ببغداد.  ثم عاد\r\n\r\nإلى 😀 طهران\n"
    spans = [
        (text.index(w), text.index(w) + len(w), label)
        for w, label in (("قاآني", "PERS"), ("بغداد", "GPE"), ("طهران", "GPE"))
    ]
    document = document_of(text, spans, "خبر-1")
    path = tmp_path / "a.conll"
    assert not conll.write([document], path, SCHEMA)
    rows = path.read_text(encoding="utf-8").split("\n")
    assert rows[0] == "-DOCSTART-\tid=خبر-1|SpacesBefore=\\u{200F}\tO"
    for row in (
        "التقى\t_\tO",
        "وقاآني\tStart=1\tB-PERS",
        "ببغداد\tStart=1|SpaceAfter=No\tB-GPE",
        ".\tSpacesAfter=\\s\\s\tO",
        "عاد\tSpacesAfter=\\r\\n\\r\\n\tO",
        "😀\t_\tO",
        "طهران\tSpacesAfter=\\n\tB-GPE",
    ):
        assert row in rows, row
    assert conll.read(path, SCHEMA) == [document]
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))  # an editor on Windows
    assert conll.read(path, SCHEMA) == [document]


def test_what_columns_lose_is_named(tmp_path):
    text = "قائد فيلق القدس وأنقرةبغداد زار\u200d"
    document = document_of(
        text,
        [
            (0, 15, "OCC"),
            (5, 15, "ORG"),  # nested
            (5, 22, "EVENT"),  # crosses
            (17, 22, "GPE"),
            (22, 27, "GPE"),  # two in one word
            (31, 32, "PERS"),  # no word
        ],
    )
    (back,), lost = through([document], tmp_path, "conll")
    assert back.text == text
    assert [e.text for e in back.entities] == ["قائد فيلق القدس", "أنقرة"]
    assert lost == {
        "nested entities": 1,
        "crossing entities": 1,
        "entities that share a word with another": 1,
        "entities without a word": 1,
    }
    (words_,), lost = through([document], tmp_path, "wojood")
    assert [e.text for e in words_.entities] == ["قائد فيلق القدس", "فيلق القدس", "وأنقرةبغداد"]
    assert lost == {
        "crossing entities": 1,
        "entities that share a word with another": 1,
        "entities without a word": 1,
        "entity edges inside words": 1,
        "spacing between words": 1,
        "document ids": 1,
    }


def test_several_documents_in_one_wojood_file(tmp_path):
    pair = [document_of("علي هنا", [(0, 3, "PERS")], "a"), document_of("في بغداد", [(3, 8, "GPE")], "b")]
    back, lost = through(pair, tmp_path, "wojood")
    assert [d.text for d in back] == ["علي هنا", "في بغداد"]
    assert [d.id for d in back] == ["ملف-0001", "ملف-0002"]
    assert lost == {"document ids": 2}


@pytest.mark.parametrize("source", ["seeds:articles", "seeds:authored/dev"])
def test_gold_texts(tmp_path, source):
    gold = load_source(source, SCHEMA)
    back, lost = through(gold, tmp_path, "conll")
    for before, after in zip(gold, back, strict=True):
        assert (after.id, after.text) == (before.id, before.text)
        outermost = [
            s
            for s in spans_of(before)
            if not any(o != s and o[0] <= s[0] and s[1] <= o[1] for o in spans_of(before))
        ]
        assert [s for s in spans_of(after) if s in outermost] == spans_of(after)
    assert lost["relations"] == sum(len(d.relations) for d in gold)
    assert lost["coreference clusters"] == sum(len(d.clusters) for d in gold)
    assert sum(len(d.entities) for d in back) == sum(len(d.entities) for d in gold) - lost_entities(lost)
    assert "scores" not in lost

    nested, lost = through(gold, tmp_path, "wojood")
    assert lost_entities(lost) == 0
    for before, after in zip(gold, nested, strict=True):
        assert [e.label for e in after.entities] == [e.label for e in before.entities]
        # A mention with its proclitics and without the blanks, punctuation too, that words have between them.
        whole = [before.text[e.word_start : e.word_end] for e in before.entities]
        assert ["".join(e.text.split()) for e in after.entities] == ["".join(w.split()) for w in whole]
