"""Column files of others: tagging schemes, columns, repairs that are listed, faults with their lines."""

from pathlib import Path

import pytest
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import conll, detect_format, read_documents, wojood

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")


# Two persons that touch, one of one word and one of three.
SAME = {
    "iob2": "B-PERS B-PERS I-PERS I-PERS O B-GPE",
    "iob1": "I-PERS B-PERS I-PERS I-PERS O I-GPE",
    "bioes": "S-PERS B-PERS I-PERS E-PERS O S-GPE",
    "bilou": "U-PERS B-PERS I-PERS L-PERS O U-GPE",
}


@pytest.mark.parametrize("scheme", SAME)
@pytest.mark.parametrize("gap", [" ", "\t"])
def test_every_scheme_is_detected_and_read_alike(tmp_path, scheme, gap):
    tokens = "علي حسن نصر الله في ولبنان".split()
    body = "\n".join(f"{word}{gap}{tag}" for word, tag in zip(tokens, SAME[scheme].split(), strict=True))
    path = tmp_path / "gold.txt"
    path.write_text(f"\ufeff{body}\n\n{body}", encoding="utf-8")
    assert detect_format(path).name == "conll"
    for named in ("auto", scheme):
        (document,) = conll.read(path, SCHEMA, scheme=named)
        assert document.id == "gold"
        assert document.text == "\n".join([" ".join(tokens)] * 2)
        assert [e.text for e in document.entities] == ["علي", "حسن نصر الله", "ولبنان"] * 2
    others = [s for s in SAME if s[:2] != scheme[:2]]
    for other in others:
        with pytest.raises(DataError):
            conll.read(path, SCHEMA, scheme=other)


def test_conll_2003_documents_and_columns(tmp_path):
    path = tmp_path / "news.conll"
    path.write_text(
        "-DOCSTART- -X- -X- O\n\nبغداد NNP B-NP B-GPE\n# NN O O\n\n"
        "-DOCSTART- -X- -X- O\nقال VBD O O\n\nعلي NNP B-NP B-PERS\n",
        encoding="utf-8",
    )
    assert detect_format(path).name == "conll"
    first, second = read_documents(path, schema=SCHEMA)
    assert (first.id, first.text) == ("news-0001", "بغداد #")
    assert (second.id, second.text, second.entities[0].text) == ("news-0002", "قال\nعلي", "علي")
    cut = conll.read(path, SCHEMA, sentences_per_document=1)
    assert [d.text for d in cut] == ["بغداد #", "قال", "علي"]
    (tmp_path / "b.conll").write_text(
        "# sent_id = 1\n# text = علي O كريم\nعلي\tB-PERS\t0.9\n", encoding="utf-8"
    )
    (scored,) = conll.read(tmp_path / "b.conll", SCHEMA)
    assert [(e.text, e.label) for e in scored.entities] == [("علي", "PERS")]
    both = read_documents(tmp_path, schema=SCHEMA)  # a folder, in the order of the names
    assert [d.id for d in both] == ["b", "news-0001", "news-0002"]


def test_conll_repairs_are_listed_with_their_lines(tmp_path, caplog):
    path = tmp_path / "a.conll"
    path.write_text("علي B-PERS\nحسن I-PERS\nفي OO\nبغداد I-GPE\nو O\nعمان B-GPEE\n", encoding="utf-8")
    (document,) = conll.read(path, SCHEMA)
    assert [e.text for e in document.entities] == ["علي حسن", "بغداد", "عمان"]
    assert "line 3: في OO read as O" in caplog.text
    assert "line 4: بغداد I-GPE read as B-GPE" in caplog.text
    assert "line 6: عمان B-GPEE read as B-GPE" in caplog.text


@pytest.mark.parametrize(
    ("body", "line", "found", "accepted"),
    [
        ("علي B-PRES\n" * 4, 1, "the tag 'B-PRES' of علي", "did you mean 'PERS'?"),
        ("علي B-PERS\nحسن\n", 2, "found 'حسن'", "a word and its tag"),
        (
            "-DOCSTART-\tid=a\tO\n\nعلي\t_\tB-PERS\nحسن\tI-PERS\n",
            4,
            "found 'حسن\\tI-PERS'",
            "a word, a tab, '_' or key=value",
        ),
        ("-DOCSTART-\tid=a\tO\n\nعلي\tStart=x\tB-PERS\n", 3, "Start=x", "a whole number"),
        ("-DOCSTART-\tid=a\tO\n\nعلي\tStart=9\tB-PERS\n", 3, "T1 spans 9 to 3", "0 <= start < end <= 3"),
        ("قائد B-OCC\nفيلق I-OCC B-ORG\nقال O\n", 0, "words with several tags", "the format 'wojood'"),
        ("\n\n", 0, "no sentence", "a word and its tag"),
    ],
)
def test_conll_faults(tmp_path, body, line, found, accepted):
    path = tmp_path / "a.conll"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        conll.read(path, SCHEMA)
    assert found in caught.value.found
    assert accepted in caught.value.accepted
    assert caught.value.line == line
    assert str(path) in str(caught.value)


def test_wojood_nesting_of_one_label_and_of_several(tmp_path):
    path = tmp_path / "w.txt"
    body = "رئيس B-OCC\nبلدية I-OCC B-ORG\nنابلس I-OCC I-ORG B-GPE\n\n"
    body += "وزارة B-ORG\nجامعة I-ORG B-ORG\nبيرزيت I-ORG I-ORG\nهناك I-ORG\n"
    path.write_text(body, encoding="utf-8")
    assert detect_format(path).name == "wojood"
    (document,) = read_documents(path, schema=SCHEMA)
    assert [(e.text, e.label) for e in document.entities] == [
        ("رئيس بلدية نابلس", "OCC"),
        ("بلدية نابلس", "ORG"),
        ("نابلس", "GPE"),
        ("وزارة جامعة بيرزيت هناك", "ORG"),
        ("جامعة بيرزيت", "ORG"),
    ]
    assert wojood.write([document], tmp_path / "back.txt", SCHEMA) == {"document ids": 1}
    assert (tmp_path / "back.txt").read_text(encoding="utf-8") == body
    path.write_text(body.replace(" I-ORG B-GPE", "\tI-ORG B-GPE"), encoding="utf-8")  # the cell after a tab
    assert read_documents(path, schema=SCHEMA) == [document]


def test_nesting_late_in_a_long_file_is_seen(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("كلمة O\n\n" * 20_000 + "بلدية B-ORG\nنابلس I-ORG B-GPE\n", encoding="utf-8")
    assert detect_format(path).name == "wojood"
