"""Column files and chunk tags: every scheme, nesting, damage, invisible characters, writing and reading back."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.errors import DataError
from isnad.training.data.columns import chunk, format_columns, mend, read_columns
from isnad.training.data.schemes import WordSpan, decode, detect_scheme, encode, mend_tags

# زار [إسماعيل قاآني|PERS] [بغداد|LOC] [أربيل|LOC]
WORDS = "زار إسماعيل قاآني بغداد أربيل".split()
SPANS = [WordSpan(1, 2, "PERS"), WordSpan(3, 3, "LOC"), WordSpan(4, 4, "LOC")]
TAGS = {
    "iob2": "O B-PERS I-PERS B-LOC B-LOC",
    "iob1": "O I-PERS I-PERS I-LOC B-LOC",
    "bioes": "O B-PERS E-PERS S-LOC S-LOC",
    "bilou": "O B-PERS L-PERS U-LOC U-LOC",
}


def cells(tags: str) -> list[tuple[str, ...]]:
    """`B-ORG I-OCC+B-ORG` → one cell a word."""
    return [tuple(t.split("+")) for t in tags.split()]


def file(tmp_path: Path, text: str, name: str = "a.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    return path


@pytest.mark.parametrize("scheme", TAGS)
def test_every_scheme_gives_the_same_spans(scheme):
    assert decode(cells(TAGS[scheme]), scheme) == (SPANS, [])


@pytest.mark.parametrize("scheme", TAGS)
def test_the_scheme_is_detected(scheme):
    assert detect_scheme([cells(TAGS[scheme])]) == scheme


def test_a_few_loose_tags_do_not_make_iob1_of_iob2():
    assert detect_scheme([cells("I-PERS O B-LOC"), cells("B-LOC I-LOC O B-ORG")]) == "iob2"


def test_an_i_that_continues_nothing_begins_an_entity_and_is_named():
    spans, faults = decode(cells("I-PERS I-PERS O I-LOC B-ORG I-LOC"))
    assert spans == [
        WordSpan(0, 1, "PERS"),
        WordSpan(3, 3, "LOC"),
        WordSpan(4, 4, "ORG"),
        WordSpan(5, 5, "LOC"),
    ]
    assert [(f.word, f.found, f.read_as) for f in faults] == [
        (0, "I-PERS", "B-PERS"),
        (3, "I-LOC", "B-LOC"),
        (5, "I-LOC", "B-LOC"),
    ]


def test_unclosed_and_unopened_entities_of_bioes_are_named():
    spans, faults = decode(cells("B-PERS I-PERS O B-LOC E-ORG I-ORG"), "bioes")
    assert spans == [
        WordSpan(0, 1, "PERS"),
        WordSpan(3, 3, "LOC"),
        WordSpan(4, 4, "ORG"),
        WordSpan(5, 5, "ORG"),
    ]
    assert [(f.word, f.read_as) for f in faults] == [
        (1, "E-PERS"),
        (3, "S-LOC"),
        (4, "S-ORG"),
        (5, "B-ORG"),
        (5, "S-ORG"),
    ]


def test_nested_tags_as_in_wojood():
    # سكرتير اللجنة القومية في نابلس، جامعة بيرزيت inside another ORG
    tags = "B-OCC I-OCC+B-ORG I-OCC+I-ORG I-OCC I-OCC+B-GPE O B-ORG I-ORG+B-ORG I-ORG+I-ORG+B-GPE I-ORG"
    spans, faults = decode(cells(tags))
    assert faults == []
    assert set(spans) == {
        WordSpan(0, 4, "OCC"),
        WordSpan(1, 2, "ORG"),
        WordSpan(4, 4, "GPE"),
        WordSpan(6, 9, "ORG"),
        WordSpan(7, 8, "ORG"),
        WordSpan(8, 8, "GPE"),
    }
    assert encode(spans, 10, nested=True) == cells(tags)


def test_two_inner_entities_of_one_label_side_by_side():
    spans, _ = decode(cells("B-ORG I-ORG+B-ORG I-ORG+B-ORG I-ORG"))
    assert spans == [WordSpan(0, 3, "ORG"), WordSpan(1, 1, "ORG"), WordSpan(2, 2, "ORG")]


@pytest.mark.parametrize(
    ("spans", "nested", "match"),
    [
        ([WordSpan(0, 2, "ORG"), WordSpan(1, 1, "GPE")], False, "lies in ORG"),
        ([WordSpan(0, 1, "ORG"), WordSpan(1, 2, "GPE")], True, "crosses"),
        ([WordSpan(0, 3, "ORG")], True, "words 0 to 2"),
    ],
)
def test_spans_that_tags_cannot_hold_are_refused(spans, nested, match):
    with pytest.raises(DataError, match=match):
        encode(spans, 3, nested=nested)


def test_only_unambiguous_damage_is_repaired():
    counts = {
        "O": 90,
        "B-PER": 9,
        "OO": 1,
        "IO": 1,
        "B-MISS1": 1,
        "B-MIS1`": 1,
        "I--ORG": 1,
        "B-MIS-2": 2,
        "B-MI": 1,
    }
    readings, unknown = mend_tags(counts, ["PER", "ORG", "MIS1", "MIS2"], "auto")
    assert readings == {
        "OO": "O",
        "IO": "O",
        "B-MISS1": "B-MIS1",
        "B-MIS1`": "B-MIS1",
        "I--ORG": "I-ORG",
        "B-MIS-2": "B-MIS2",
    }
    assert unknown == ["MI"]
    # One letter from two labels: no entity rather than a guess.
    assert mend_tags({"B-MIS": 1}, ["MIS1", "MIS2"], "auto") == ({"B-MIS": "O"}, [])


def test_a_frequent_unknown_label_is_no_damage():
    assert mend_tags({"B-PERS": 4}, ["PER"], "auto") == ({}, ["PERS"])
    assert mend_tags({"B-PERS": 3}, ["PER"], "auto") == ({"B-PERS": "B-PER"}, [])
    assert mend_tags({"PER": 2, "S-PER": 1}, ["PER"], "iob2") == ({}, ["PER", "S-PER"])


def test_reading_strips_marks_line_ends_and_invisible_characters(tmp_path):
    text = "\ufeff\u200eبغداد\tB-LOC\r\n\u200e\tO\r\nجميلة\u200f\tO\u200e\r\n\u200e\r\nفي\tO\r\n\r\n\r\n"
    notices: Counter[str] = Counter()
    sentences = read_columns(file(tmp_path, text), separator="tab", notices=notices)
    assert [s.words for s in sentences] == [("بغداد", "جميلة"), ("في",)]
    assert [s.cells for s in sentences] == [(("B-LOC",), ("O",)), (("O",),)]
    assert [s.lines for s in sentences] == [(1, 3), (5,)]
    assert notices == {
        "word with invisible characters, removed": 3,
        "word of invisible characters only, left out": 1,
    }


def test_diacritics_kashida_and_emoji_stay(tmp_path):
    words = ["فيلـق", "القُدْسِ", "🇮🇶", "نصرالله", "٢٠٢٠", "ﻻ"]
    path = file(tmp_path, "".join(f"{w} O\n" for w in words))
    assert list(read_columns(path)[0].words) == words


@pytest.mark.parametrize(
    ("text", "options", "line"),
    [
        ("بغداد B-LOC\nجميلة\n", {}, 2),
        ("بغداد B-LOC\n\nأبو ظبي B-LOC\n", {"separator": "space"}, 3),
        ("بغداد  B-LOC\n", {"separator": "space"}, 1),
        ("بغداد B-LOC\n", {"separator": "tab"}, 1),
        ("بغداد\t\n", {"separator": "tab"}, 1),
    ],
)
def test_malformed_lines_are_named(tmp_path, text, options, line):
    with pytest.raises(DataError) as caught:
        read_columns(file(tmp_path, text), **options)
    assert caught.value.line == line
    assert "a.txt" in str(caught.value)
    assert "accepted" in str(caught.value)


def test_empty_missing_and_undecodable_files(tmp_path):
    for path in (file(tmp_path, "\n\n"), tmp_path / "none.txt"):
        with pytest.raises(DataError):
            read_columns(path)
    (tmp_path / "b.txt").write_bytes("بغداد O\n".encode("cp1256"))
    with pytest.raises(DataError, match="UTF-8"):
        read_columns(tmp_path / "b.txt")


def test_columns_in_the_middle_and_at_the_end(tmp_path):
    path = file(tmp_path, "# doc 1\nبغداد NNP x B-LOC\nهي PRP y O\n# O\n")
    sentences = read_columns(path, tag_column=-1, comment="# ")
    assert sentences[0].words == ("بغداد", "هي", "#")
    assert sentences[0].cells == (("B-LOC",), ("O",), ("O",))


def test_mending_lists_each_place_and_refuses_unknown_labels(tmp_path):
    path = file(tmp_path, "كرة B-MISS1\nالقدم I-MIS1\n\nهنا OO\n")
    sentences, repairs = mend(read_columns(path), ["MIS1", "PER"])
    assert [str(r).replace(str(path), "a") for r in repairs] == [
        "a:1: كرة B-MISS1 read as B-MIS1",
        "a:4: هنا OO read as O",
    ]
    assert chunk(sentences)[0] == [[WordSpan(0, 1, "MIS1")], []]
    with pytest.raises(DataError, match="MISS1, OO") as caught:
        mend(read_columns(path), ["MIS1"], scheme="iob2")
    assert caught.value.line == 1
    other = read_columns(file(tmp_path, "هنا O\nبغداد B-CITY\n", "b.txt"))
    with pytest.raises(DataError, match="CITY") as caught:
        mend(other, ["PER"])
    assert caught.value.line == 2


def test_a_named_scheme_is_strict_and_auto_repairs(tmp_path):
    sentences = read_columns(file(tmp_path, "زار O\nبغداد I-LOC\n\nأربيل B-LOC\nأمس O\n\nالبصرة B-LOC\n"))
    spans, repairs, scheme = chunk(sentences)
    assert (spans[0], scheme) == ([WordSpan(1, 1, "LOC")], "iob2")
    assert [(r.line, r.found, r.read_as) for r in repairs] == [(2, "I-LOC", "B-LOC")]
    with pytest.raises(DataError, match=r"I-LOC.*scheme: auto") as caught:
        chunk(sentences, scheme="iob2")
    assert caught.value.line == 2


def test_an_entity_written_twice_is_read_once(tmp_path):
    sentences = read_columns(file(tmp_path, "بغداد B-GPE B-GPE\nالجديدة I-GPE I-GPE\n"), nested=True)
    spans, repairs, _ = chunk(sentences)
    assert spans == [[WordSpan(0, 1, "GPE")]]
    assert [(r.line, r.read_as) for r in repairs] == [(1, "once")]


def test_bioes_has_one_tag_a_word():
    with pytest.raises(DataError, match="one tag a word"):
        decode(cells("S-ORG+S-GPE"), "bioes")


@pytest.mark.parametrize("word", ["", "أبو ظبي", "بغ\nداد", "\u200eبغداد", "بغ\u2028داد"])
def test_words_that_columns_cannot_hold_are_refused(word):
    with pytest.raises(DataError, match="the word"):
        format_columns([([word], [])])


_WORD = st.text("ابتكلموهيآءئةى٣ـًَّ🙂.،#0A", min_size=1, max_size=6)


@st.composite
def _sentence(draw: st.DrawFn, nested: bool) -> tuple[list[str], list[WordSpan]]:
    words = draw(st.lists(_WORD, min_size=1, max_size=9))
    spans: set[WordSpan] = set()
    for _ in range(draw(st.integers(0, 6))):
        first = draw(st.integers(0, len(words) - 1))
        last = draw(st.integers(first, len(words) - 1))
        new = WordSpan(first, last, draw(st.sampled_from(["PERS", "ORG", "State-or-Province"])))
        apart = all(new.last < s.first or s.last < new.first for s in spans)
        inside = all(
            new.last < s.first
            or s.last < new.first
            or (s.first <= new.first and new.last <= s.last)
            or (new.first <= s.first and s.last <= new.last)
            for s in spans
        )
        if apart or (nested and inside):
            spans.add(new)
    return words, sorted(spans, key=lambda s: (s.first, -s.last, s.label))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("separator", ["space", "tab"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back(tmp_path_factory, nested, separator, data):
    written = data.draw(st.lists(_sentence(nested=nested), min_size=1, max_size=4))
    text = format_columns(
        written, nested=nested, separator=separator, ids=[f"s{n}" for n in range(len(written))]
    )
    path = tmp_path_factory.mktemp("columns") / "a.txt"
    path.write_text(text, encoding="utf-8", newline="")
    sentences = read_columns(path, nested=nested, separator=separator, comment="# s")
    spans, repairs, _ = chunk(sentences, scheme="iob2")
    assert [list(s.words) for s in sentences] == [words for words, _ in written]
    assert [set(s) for s in spans] == [set(s) for _, s in written]
    assert repairs == []
