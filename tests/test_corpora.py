"""Corpora as documents: offsets, clitics joined back, parts, exclusion, strict configurations."""

import logging
from pathlib import Path

import pytest
import yaml
from isnad.model.errors import ConfigError, DataError
from isnad.training.data.corpora import corpus_config, load_corpus, mapped_counts
from isnad.training.data.corpus_config import CorpusConfig
from isnad.training.data.overlap import letters_only
from isnad.training.data.sources import CONFIGS, load_schema

SHIPPED = sorted(p.stem for p in (CONFIGS / "data").glob("*.yaml"))
FLAT = """زار O
الجنرال O
إسماعيل B-PERS
قاآني I-PERS
وبغداد B-LOC

التقى O
بالكاظمي B-PERS
في O
لندن B-LOC
. O

"""
SPLIT = "\u200eو\tO\r\n\u200eقال\tO\r\n\u200eبلير\tB-Politician\r\n\u200eل\tO\r\n\u200eلبنان\tB-Nation\r\n.\tO\r\n\r\n"


def corpus(tmp_path: Path, text: str, *, name: str = "tiny", **keys: object) -> Path:
    """Write a column file and its configuration; return the configuration."""
    data = tmp_path / f"{name}.txt"
    data.write_bytes(text.encode("utf-8"))
    labels = {"PERS": ["PERS"], "LOC": ["GPE", "LOC", "FAC"]}
    config = {"name": name, "paths": [str(data)], "labels": labels} | keys
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def sentences(*lines: str) -> str:
    """Column text without entities, one sentence a line."""
    return "\n".join("".join(f"{w} O\n" for w in line.split()) for line in lines)


def lines(loaded) -> list[str]:
    return [line for document in loaded.documents for line in document.text.split("\n")]


def test_sentences_become_documents_with_exact_offsets(tmp_path):
    loaded = load_corpus(corpus(tmp_path, FLAT), "all")
    (document,) = loaded.documents
    assert document.id == "tiny-0001"
    assert document.text == "زار الجنرال إسماعيل قاآني وبغداد\nالتقى بالكاظمي في لندن ."
    assert [(e.id, e.text, e.label) for e in document.entities] == [
        ("T1", "إسماعيل قاآني", "PERS"),
        ("T2", "وبغداد", "LOC"),
        ("T3", "بالكاظمي", "PERS"),
        ("T4", "لندن", "LOC"),
    ]
    assert all(document.text[e.start : e.end] == e.text for e in document.entities)
    assert [[document.text[lo:hi] for lo, hi in s] for s in loaded.tokens[0]] == [
        line.split() for line in document.text.split("\n")
    ]
    assert loaded.report.entities == {"PERS": 2, "LOC": 2}
    assert mapped_counts(loaded.report.entities, loaded.config) == {"PERS": 2, "GPE|LOC|FAC": 2}


def test_gold_tags_of_words_come_back(tmp_path):
    loaded = load_corpus(corpus(tmp_path, FLAT), "all")
    tagged = [(w, *cell) for words, cells in loaded.tagged() for w, cell in zip(words, cells, strict=True)]
    assert tagged == [tuple(row.split()) for row in FLAT.split("\n") if row]


def test_nested_gold_comes_back_too(tmp_path):
    text = "رئيس B-OCC\nبلدية I-OCC B-ORG\nمدينة I-OCC I-ORG B-GPE\nالبيرة I-OCC I-ORG I-GPE\nهنا O\n"
    labels = {"OCC": ["OCC"], "ORG": ["ORG"], "GPE": ["GPE"]}
    loaded = load_corpus(corpus(tmp_path, text, labels=labels, nested=True), "all")
    assert [(e.label, e.text) for e in loaded.documents[0].entities] == [
        ("OCC", "رئيس بلدية مدينة البيرة"),
        ("ORG", "بلدية مدينة البيرة"),
        ("GPE", "مدينة البيرة"),
    ]
    ((words, cells),) = loaded.tagged()
    assert [" ".join((w, *c)) for w, c in zip(words, cells, strict=True)] == text.strip().split("\n")


def test_documents_hold_a_number_of_sentences_and_never_two_files(tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text(sentences("جملة أولى", "جملة ثانية", "جملة ثالثة"), encoding="utf-8")
    second.write_text(sentences("جملة رابعة"), encoding="utf-8")
    path = corpus(tmp_path, FLAT, paths=[str(first), str(second)], sentences_per_document=2)
    loaded = load_corpus(path, "all")
    assert [(d.id, len(d.text.split("\n"))) for d in loaded.documents] == [
        ("tiny-0001", 2),
        ("tiny-0002", 1),
        ("tiny-0003", 1),
    ]


def test_split_clitics_are_joined_and_entities_begin_after_them(tmp_path):
    labels = {"Politician": ["PERS"], "Nation": ["GPE"], "Government": ["ORG"], "Group": ["NORP"]}
    more = (
        "ذهب\tO\nالى\tO\nباوروبا\tB-Nation\nو\tO\nللامم\tB-Government\nالمتحدة\tI-Government\nو\tO\nل\tO\n"
        "الحكومة\tB-Government\nالعراقية\tI-Government\n\n"
        + "اوروبا\tB-Nation\n\n" * 20
        + "عدد\tO\nالجنود\tO\nال\tO\nاسرائيليين\tB-Group\n\nزار\tO\nالاسرائيليين\tO\nالاسرائيليين\tO\n"
        + "ان\tO\nالاسرائيليين\tO\n\n"
    )
    text = SPLIT.replace("\r\n", "\n") + more
    vocabulary = "اسرائيليين\tO\nالحكومة\tO\nحكومة\tO\n"
    loaded = load_corpus(
        corpus(tmp_path, text + vocabulary, labels=labels, proclitics="split", separator="tab"), "all"
    )
    document = loaded.documents[0]
    assert lines(loaded)[:2] == ["وقال بلير للبنان .", "ذهب الى باوروبا وللامم المتحدة وللحكومة العراقية"]
    found = [
        (document.text[e.word_start : e.start], e.text, e.name)
        for e in document.entities
        if e.text != "اوروبا"
    ]
    assert found == [
        ("", "بلير", "بلير"),
        ("ل", "لبنان", "لبنان"),
        # وللامم: و is joined, ل was left on the token and elides the alef of the article.
        ("ول", "لامم المتحدة", "الامم المتحدة"),
        ("ول", "لحكومة العراقية", "الحكومة العراقية"),
    ]
    assert [e.text for e in document.entities][2] == "اوروبا"
    assert "الاسرائيليين" in [e.text for d in loaded.documents for e in d.entities]
    assert loaded.report.inside == 4
    assert loaded.report.unsplit == 2
    assert loaded.report.widened == 1
    assert all(d.text[e.start : e.end] == e.text for d in loaded.documents for e in d.entities)


def test_a_letter_cut_off_a_name_belongs_to_it(tmp_path):
    text = "كتب O\nف O\nرويد B-PERS\n\n" + "فرويد B-PERS\n\n" * 3
    loaded = load_corpus(corpus(tmp_path, text, proclitics="split"), "all")
    assert [e.text for e in loaded.documents[0].entities] == ["فرويد"] * 4
    assert loaded.report.widened == 1


def test_parts_by_share_files_and_exclusion(tmp_path):
    ten = [f"هذه جملة رقم {n} من عشر" for n in range(10)]
    path = corpus(tmp_path, sentences(*ten), dev_share=0.2)
    assert lines(load_corpus(path, "train")) == ten[:8]
    assert lines(load_corpus(path, "dev")) == ten[8:]
    assert lines(load_corpus(path, "all")) == ten
    other = tmp_path / "dev.txt"
    other.write_text(sentences("جملة للتطوير"), encoding="utf-8")
    path = corpus(tmp_path, sentences(*ten), name="filed", dev_paths=[str(other)])
    assert lines(load_corpus(path, "dev")) == ["جملة للتطوير"]
    assert lines(load_corpus(path, "train")) == ten
    with pytest.raises(ConfigError, match="no development part"):
        load_corpus(corpus(tmp_path, sentences(*ten), name="none"), "dev")
    with pytest.raises(ConfigError, match="train, dev, all"):
        load_corpus(path, "test")


LONG = "قال رئيس الاتحاد للاعبين إن مستقبل السوق في ألمانيا مازال يفتقر إلى الخطوط الواضحة"


def test_sentences_of_another_corpus_are_excluded_whatever_its_tokens(tmp_path):
    held = corpus(tmp_path, sentences("جملة أولى لا تخص أحدا", LONG, "وأضاف ذلك"), name="held", dev_share=0.6)
    same = "قال رئيس الاتحاد ل الاعبين ان مستقبل السوق في المانيا مازال يفتقر الى الخطوط الواضحة"
    part = "و مستقبل السوق في المانيا مازال يفتقر الى الخطوط كما قيل"
    short = "و اضاف ذلك"
    fresh = ["و قال رئيس الاتحاد ان السوق في المانيا بخير", "و اضاف غير ذلك", "الاعبين لاعبين"]
    keys = {"proclitics": "split", "exclude": [f"{held}/dev"]}
    path = corpus(tmp_path, sentences(same, part, short, *fresh), name="other", **keys)
    train = load_corpus(path, "train")
    assert lines(train) == ["وقال رئيس الاتحاد ان السوق في المانيا بخير", "واضاف غير ذلك", "الاعبين لاعبين"]
    assert train.report.excluded == 3
    path = corpus(tmp_path, sentences(same, part, short, *fresh), name="other", dev_excluded=True, **keys)
    dev = lines(load_corpus(path, "dev"))
    assert len(dev) == 3
    assert {letters_only(dev[0])} == {letters_only(LONG)}
    assert not set(dev) & set(lines(load_corpus(path, "train")))


def test_a_corpus_can_keep_its_own_dev_out_of_train(tmp_path):
    text = sentences("نص مكرر", "نص آخر", "نص ثالث", "نص مكرر")
    path = corpus(tmp_path, text, dev_share=0.25, exclude=["tiny/dev"])
    assert lines(load_corpus(path, "train")) == ["نص آخر", "نص ثالث"]


def test_two_corpora_cannot_take_dev_from_each_other(tmp_path):
    a = corpus(tmp_path, FLAT, name="a", exclude=[f"{tmp_path}/b.yaml/dev"], dev_excluded=True)
    corpus(tmp_path, FLAT, name="b", exclude=[f"{tmp_path}/a.yaml/dev"], dev_excluded=True)
    with pytest.raises(ConfigError, match="development part"):
        load_corpus(a, "train")


def test_repairs_are_counted_and_logged_once(tmp_path, caplog):
    text = FLAT + "قاآني I-PERS\nكرة B-LOCC\nهنا OO\nبغداد B-LOC\n"
    with caplog.at_level(logging.INFO):
        report = load_corpus(corpus(tmp_path, text), "all").report
    assert [(r.line, r.found, r.read_as) for r in report.repairs] == [
        (13, "I-PERS", "B-PERS"),
        (14, "B-LOCC", "B-LOC"),
        (15, "OO", "O"),
    ]
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1
    assert "3 tags" in caplog.text
    assert ":14: كرة B-LOCC read as B-LOC" in caplog.text
    assert "tiny/all: 1 documents, 3 sentences" in str(report)


def test_missing_files_and_unmapped_tags_say_what_to_do(tmp_path):
    facts = {"origin": "https://example.org/tiny", "licence": "CC BY 4.0", "citation": "Nobody 2026"}
    path = corpus(tmp_path, FLAT, paths=["none/tiny.txt"], **facts)
    with pytest.raises(DataError) as caught:
        load_corpus(path)
    assert all(part in str(caught.value) for part in ("none/tiny.txt", *facts.values()))
    with pytest.raises(DataError, match=r"LOC.*labels") as caught:
        load_corpus(corpus(tmp_path, FLAT * 3, labels={"PERS": ["PERS"]}))
    assert (caught.value.line, "tiny.txt" in str(caught.value.path)) == (5, True)


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({"sheme": "iob2"}, "did you mean 'scheme'"),
        ({"scheme": "iob3"}, "did you mean 'iob2'"),
        ({"proclitics": "apart"}, "inside, split"),
        ({"paths": "a.txt"}, "a list of strings"),
        ({"paths": []}, "paths is empty"),
        ({"labels": {"PERS": "PERS"}}, "a list of schema labels"),
        ({"labels": {"PERS": ["PERS", "PERS"]}}, "each once"),
        ({"labels": {"NO": ["PERS"], 1: ["LOC"]}}, "a list of schema labels"),
        ({"dev_share": 1.0}, "a share"),
        ({"dev_share": 0.1, "dev_paths": ["b.txt"]}, "one of dev_paths"),
        ({"dev_excluded": True}, "goes with exclude"),
        ({"exclude": ["anercorp"]}, "a corpus and a part"),
        ({"exclude": ["tiny/train"]}, "its own dev"),
        ({"nested": True, "proclitics": "split"}, "nested goes with"),
        ({"nested": True, "scheme": "bioes"}, "nested goes with"),
        ({"sentences_per_document": 0}, "1 or more"),
        ({"tag_column": 0}, "after the word"),
        ({"nested": "yes"}, "bool"),
    ],
)
def test_configurations_are_strict(tmp_path, keys, match):
    with pytest.raises(ConfigError, match=match):
        corpus_config(corpus(tmp_path, FLAT, **keys))


def test_every_field_is_documented():
    for name in CorpusConfig.__dataclass_fields__:
        assert f"{name}:" in (CorpusConfig.__doc__ or ""), name


def test_annotates_follows_from_labels_unless_given(tmp_path):
    assert corpus_config(corpus(tmp_path, FLAT)).annotated == ("PERS", "GPE", "LOC", "FAC")
    assert corpus_config(corpus(tmp_path, FLAT, annotates=["PERS"])).annotated == ("PERS",)


def test_labels_are_checked_against_the_schema(tmp_path):
    config = corpus_config(corpus(tmp_path, FLAT, labels={"PERS": ["PERSON"], "LOC": []}))
    with pytest.raises(ConfigError, match="did you mean 'PERS'"):
        config.check(load_schema("wojood"))


def test_the_five_corpora_are_described():
    assert {"anercorp", "aqmar", "newsfane", "wikifane", "wojood-sample"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_configurations_keep_to_the_schema(name):
    config = corpus_config(name)
    config.check(load_schema("wojood"))
    assert config.name == name
    assert all((config.origin, config.licence, config.citation, config.language, config.genre))
    assert not any(Path(p).is_absolute() for p in (*config.paths, *config.dev_paths))
    for excluded in config.exclude:
        assert excluded.rpartition("/")[0] in SHIPPED


def test_newsfane_never_trains_on_what_anercorp_measures():
    assert "anercorp/dev" in corpus_config("newsfane").exclude
    assert corpus_config("newsfane").dev_excluded
