"""Words, proclitics, names and folding on Arabic as people write it, and on text that nobody should write."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from isnad.model.folding import fold, tokenizer_normalizer
from isnad.model.text import (
    WORD_LIMIT,
    display_name,
    encodable,
    extend_over_marks,
    leading_letters,
    letter_offset,
    letters_before,
    make_entity,
    paragraphs,
    readable,
    sentence_starts,
    western_digits,
    word_bounds,
    words,
)

ARABIC = "".join(map(chr, range(0x0621, 0x0653))) + "\u0670\u0671ۀیکگپچ"
AWKWARD = (
    " \n\r\t\v\f\x00\x1c\x85\u2028\u00a0ـ،؛؟.\"'()[]-_/0٣۴½²ﻻﷲﷺﹰﹶﻟ\u200b"
    "\u200c\u200d\u200e\u200f\u061c\u202b\u202c\ufeff"
    "\ufe0f❤👨👩🏽🇮🇶\ud800\udc00\ue000\u20e3\U000e0067ßΣİAz"
)
anything = st.text(st.sampled_from(ARABIC + AWKWARD) | st.characters(), max_size=120)


def spelled(text: str) -> list[str]:
    return [text[s:e] for s, e in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("زار قاآني بغداد.", ["زار", "قاآني", "بغداد", "."]),
        ("عام ٢٠٢٠م و15%", ["عام", "٢٠٢٠", "م", "و", "15", "%"]),
        ('لـ"حزب الله"', ["لـ", '"', "حزب", "الله", '"']),
        ("فيلـــق القُدْسِ", ["فيلـــق", "القُدْسِ"]),
        ("نصرالله/نصر الله", ["نصرالله", "/", "نصر", "الله"]),
        (
            "\u202bبغداد\u202c و\u200fدمشق\u200f",
            ["بغداد", "و\u200fدمشق"],
        ),  # invisibles inside stay, outside go
        ("مي\u200cخواهد", ["مي\u200cخواهد"]),
        ("👨\u200d👩\u200d👧 ❤\ufe0f 1\ufe0f\u20e3", ["👨", "👩", "👧", "❤", "1"]),
        ("🏴\U000e0067\U000e0062\U000e007f", ["🏴"]),
        ("أ\x00ب\x85ج\x9fد", ["أ", "ب", "ج", "د"]),
        ("\ud83d شكرا \udc00", ["\ud83d", "شكرا", "\udc00"]),
        ("COVID-19 في_عام", ["COVID", "-", "19", "في", "_", "عام"]),
        ("ﷺ ﷲ ﻻ", ["ﷺ", "ﷲ", "ﻻ"]),
        ("محمدﹰ\u064b", ["محمدﹰ\u064b"]),
        ("ـ", ["ـ"]),
        ("\u064b\u200f\ufeff \u200b", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert spelled(text) == expected


def test_an_endless_run_is_cut_and_pieces_without_letters_are_left_out() -> None:
    assert [e - s for s, e in words("ب" * (2 * WORD_LIMIT + 5))] == [WORD_LIMIT, WORD_LIMIT, 5]
    text = "ب" + "\u200c" * 1000 + "ت"
    assert [text[s:e].replace("\u200c", "") for s, e in words(text)] == ["ب", "ت"]
    assert words("ب" + "\u064b" * 10_000) == [(0, WORD_LIMIT)]
    assert extend_over_marks("ب" + "\u064b" * 10_000, 1) <= 1 + WORD_LIMIT


@given(anything)
@example("ب" * 200)
@example("ا" + "\u0651" * 200 + "\u200f" * 80)
@settings(max_examples=300, deadline=None)
def test_words_are_ordered_and_cover_every_letter(text: str) -> None:
    spans = words(text)
    at = 0
    for start, end in spans:
        assert at <= start < end <= len(text) and end - start <= WORD_LIMIT
        at = end
    inside = {i for s, e in spans for i in range(s, e)}
    assert not [
        c for i, c in enumerate(text) if i not in inside and (c.isdigit() or "\u0621" <= c <= "\u064a")
    ]
    # Splitting line by line gives the same words: no word crosses a line end.
    assert [w for lo, hi in paragraphs(text) for w in words(text, lo, hi)] == spans


@pytest.mark.parametrize(
    ("text", "letters", "span", "name"),
    [
        ("للعراق", 1, "لعراق", "العراق"),
        ("للبنان", 1, "لبنان", "لبنان"),
        ("وللعراق", 2, "لعراق", "العراق"),
        ("وللبنان", 2, "لبنان", "لبنان"),
        ("ولِلعراق", 2, "لعراق", "العراق"),
        ("لِلْعِرَاقِ", 1, "لْعِرَاقِ", "العراق"),
        ("للـعراق", 1, "لـعراق", "العراق"),
        ("ل\u200fلعراق", 1, "لعراق", "العراق"),
        ("ﻟﻠﻌﺮاق", 1, "ﻠﻌﺮاق", "العراق"),
        ("لله", 1, "له", "الله"),
        ("للبنانيين", 1, "لبنانيين", "لبنانيين"),
        ("لقاآني", 1, "قاآني", "قاآني"),
        ("وبِبَغداد", 2, "بَغداد", "بغداد"),
        ("فلسطين", 0, "فلسطين", "فلسطين"),
        ("ـبغداد", 0, "ـبغداد", "بغداد"),
        ("ـلبغداد", 1, "بغداد", "بغداد"),
        ("ليبيا", 0, "ليبيا", "ليبيا"),
    ],
)
def test_proclitics_and_names(text: str, letters: int, span: str, name: str) -> None:
    for lead, tail in (("", ""), ("زار ", " أمس"), ("(", ")"), ("\u202b", "\u202c")):
        whole = lead + text + tail
        [(low, high)] = [w for w in words(whole) if w[0] == len(lead)]
        start = letter_offset(whole, low, high, letters)
        entity = make_entity(whole, start, high, "GPE")
        assert (entity.text, entity.name) == (span, name)
        assert (entity.word_start, entity.word_end) == (low, high)
        assert not letters or letters_before(whole, low, start) == letters


def test_the_rest_of_the_document_decides_an_ambiguous_lam() -> None:
    def name(text: str) -> str:
        start = text.index("لل") + 1
        return display_name(text, start, text.find(" ", start))

    assert name("اجتماع للواء اليوم") == "لواء"
    assert name("اجتماع للواء اليوم، وقال اللواء") == "اللواء"
    assert name("أعطى للدان كتابا") == "الدان"
    assert name("أعطى للدان كتابا، ولدان صديقه") == "لدان"
    assert name("بيان للبنانيين من اللبنانيين") == "اللبنانيين"
    assert name("شكرا للصليب الأحمر") == "الصليب"


def test_a_lam_that_is_no_proclitic_restores_nothing() -> None:
    assert display_name("قال لحود", 4, 8) == "لحود"
    assert display_name('لـ"لجين"', 3, 7) == "لجين"
    assert display_name("أول لقاء", 4, 8) == "لقاء"


def test_names_lose_kashida_marks_and_forms() -> None:
    assert readable("فيلـــق  القُدْسِ\u200f") == "فيلق القدس"
    assert readable("ﻋﺒﺪ ﷲ") == "عبد الله"
    assert readable("محمدﹰ") == "محمد"
    assert display_name("ـ", 0, 1) == "ـ"
    assert leading_letters("ﻟﻠﻌﺮاق", 0, 6, 3) == "للع"
    assert leading_letters("وَﹰلِلعراق", 0, 9, 3) == "ولل"


def test_bounds_of_an_endless_run_are_those_of_its_words() -> None:
    text = "قال " + "لل" * 500 + " هنا"
    for low, high in words(text):
        if high - low > 3:
            assert word_bounds(text, low + 1, high) == (low, high)
            assert word_bounds(text, low, high - 1) == (low, high)


@given(anything, st.data())
@settings(max_examples=300, deadline=None)
def test_entities_keep_their_offsets(text: str, data: st.DataObject) -> None:
    spans = words(text)
    if not spans:
        return
    first = data.draw(st.integers(0, len(spans) - 1))
    last = data.draw(st.integers(first, min(len(spans) - 1, first + 4)))
    low, high = spans[first]
    start = letter_offset(text, low, high, data.draw(st.integers(0, 3)))
    start = low if start >= high else start
    end = extend_over_marks(text, spans[last][1])
    entity = make_entity(text, start, end, "PERS")
    assert text[entity.start : entity.end] == entity.text and entity.name
    assert 0 <= entity.word_start <= start < end <= entity.word_end <= len(text)
    assert entity.word_start == low
    assert not any("\u064b" <= c <= "\u0652" for c in entity.name)


def test_paragraphs_know_every_line_end() -> None:
    text = "أ\r\nب\rج\n\n  \n\u200f\nد\u2028هـ\u2029و\x85ز\x0bح\x0cط"
    assert [text[s:e] for s, e in paragraphs(text)] == ["أ", "ب", "ج", "د", "هـ", "و", "ز", "ح", "ط"]


def test_sentences_begin_after_their_marks() -> None:
    text = 'قال: "جاء." ثم ذهب؟ نعم؛ كلا… د. محمد رحل! 3.5 مليون'
    spans = words(text)
    starts = [text[spans[i][0] :].split(maxsplit=1)[0] for i in sentence_starts(text, spans)]
    assert starts == ["قال:", "ثم", "نعم؛", "كلا…", "د.", "3.5"]
    assert sentence_starts("", []) == []


@pytest.mark.parametrize(
    "run", ["ب", "\u064b", "\u200c", ".", '."', "1\u200c", " ", "\n", "ل", "ﷺ", "\ud800", "👩\u200d"]
)
def test_time_grows_no_faster_than_the_text(run: str) -> None:
    text = "ا" + run * (300_000 // len(run)) + "ب"
    began = time.process_time()
    spans = words(text)
    sentence_starts(text, spans)
    paragraphs(text)
    for low, high in spans[:: max(1, len(spans) // 50)]:
        make_entity(text, low, extend_over_marks(text, high), "PERS")
    assert time.process_time() - began < 5


@given(st.text(st.sampled_from(ARABIC + AWKWARD.replace("\ud800", "").replace("\udc00", "")), max_size=60))
@example("ΟΔΟΣ ΣΑΣ")
@example("ٵٴﷲﻻ\u0675")
@settings(max_examples=300, deadline=None)
def test_the_tokenizer_folds_as_python_does(text: str) -> None:
    assert tokenizer_normalizer().normalize_str(text) == fold(text)


def test_every_arabic_and_latin_character_folds_alike() -> None:
    # Beyond these blocks the two sides may disagree only where their Unicode versions do.
    normalizer = tokenizer_normalizer()
    blocks = ((0x20, 0x700), (0x1D00, 0x2100), (0xFB00, 0x10000))
    different = [
        hex(c)
        for low, high in blocks
        for c in range(low, high)
        if not 0xD800 <= c < 0xE000 and normalizer.normalize_str(f"ا{chr(c)}ب") != fold(f"ا{chr(c)}ب")
    ]
    assert not different


def test_folding_joins_what_the_press_writes_for_one_another() -> None:
    assert fold("إيران") == fold("ايران") == fold("اِيرَان") == fold("ايـران") == fold("\u200fايران")
    assert fold("على") == fold("علي") == fold("علی")
    assert fold("کابل") == fold("كابل") and fold("٢٠٢٠") == fold("۲۰۲۰") == "2020"
    assert western_digits("٣٤۵") == "345"
    assert encodable("أ\ud800ب\udfff") == "أ\ufffdب\ufffd"
