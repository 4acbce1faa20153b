"""spaCy DocBin: nothing is lost at token edges, nothing is unpickled, other people's files are read."""

import pickle
import zlib
from collections import Counter
from pathlib import Path

import pytest
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import docbin
from isnad.training.data.builder import DocumentBuilder
from isnad.training.data.files import Faults

spacy = pytest.importorskip("spacy")
srsly = pytest.importorskip("srsly")
from spacy.tokens import Doc, DocBin, Span, SpanGroup  # noqa: E402
from spacy.training import Example  # noqa: E402

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
TEXT = "التقى قائد فيلق القدس 😀  وبغداد وقاآني"
ARABIC = spacy.blank("ar")


def document() -> Document:
    builder = DocumentBuilder(TEXT, SCHEMA, Faults(), "خبر-1")
    names = (("قائد فيلق القدس", "OCC"), ("فيلق القدس", "ORG"), ("بغداد", "GPE"), ("قاآني", "PERS"))
    for n, (name, label) in enumerate(names, 1):
        builder.mention(f"T{n}", TEXT.index(name), TEXT.index(name) + len(name), label)
    builder.relate("T4", "has_occupation", "T1")
    builder.group(["T2", "T4"])
    return builder.build()


def stored(path: Path, *docs: Doc, user_data: bool = False) -> Path:
    path.write_bytes(DocBin(docs=docs, store_user_data=user_data).to_bytes())
    return path


def loaded(path: Path) -> list[Doc]:
    return list(DocBin().from_disk(path).get_docs(spacy.blank("ar").vocab))


def test_spacy_sees_outermost_entities_all_spans_and_clusters(tmp_path):
    path = tmp_path / "a.spacy"
    assert docbin.write([document()], path, SCHEMA) == Counter({"relations": 1})
    (doc,) = loaded(path)
    assert doc.text == TEXT
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("قائد فيلق القدس", "OCC"),
        ("بغداد", "GPE"),
        ("قاآني", "PERS"),
    ]
    assert [(s.text, s.label_) for s in doc.spans["sc"]] == [(e.text, e.label) for e in document().entities]
    assert [s.text for s in doc.spans["coref_clusters_1"]] == ["فيلق القدس", "قاآني"]
    assert [t.text for t in doc] == [*"التقى قائد فيلق القدس 😀".split(), " ", "و", "بغداد", "و", "قاآني"]


def test_spacy_trains_on_it(tmp_path):
    """Proclitics that spaCy's own tokenizer leaves on are aligned, so the other mentions are learned."""
    docbin.write([document()], tmp_path / "a.spacy", SCHEMA)
    (doc,) = loaded(tmp_path / "a.spacy")
    nlp = spacy.blank("ar")
    nlp.add_pipe("ner")
    example = Example(nlp.make_doc(doc.text), doc)
    nlp.initialize(lambda: [example])
    assert nlp.update([example])["ner"] > 0
    assert set(nlp.get_pipe("ner").labels) >= {"OCC"}


def test_user_data_is_neither_written_nor_loaded(tmp_path, monkeypatch):
    docbin.write([document()], tmp_path / "a.spacy", SCHEMA)
    assert "user_data" not in srsly.msgpack_loads(zlib.decompress((tmp_path / "a.spacy").read_bytes()))
    doc = ARABIC("زار قاآني بغداد")
    doc.user_data["trap"] = "x"
    path = stored(tmp_path / "b.spacy", doc, user_data=True)
    seen = []
    real = docbin._document
    monkeypatch.setattr(
        docbin, "_document", lambda doc, *rest: (seen.append(dict(doc.user_data)), real(doc, *rest))[1]
    )
    docbin.read(path, SCHEMA)
    assert seen == [{}]


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_a_pickle_is_not_loaded(tmp_path):
    (tmp_path / "a.spacy").write_bytes(pickle.dumps(Trap()))
    (tmp_path / "b.spacy").write_bytes(zlib.compress(pickle.dumps(Trap())))
    for name in ("a", "b"):
        with pytest.raises(DataError, match="not a spaCy DocBin"):
            docbin.read(tmp_path / f"{name}.spacy", SCHEMA)


def test_a_file_with_flat_entities_only(tmp_path):
    doc = ARABIC("زار قاآني بغداد")
    doc.ents = [Span(doc, 1, 2, label="PERS"), Span(doc, 2, 3, label="GPE")]
    first, second = docbin.read(stored(tmp_path / "dev.spacy", doc, ARABIC("لا أحد")), SCHEMA)
    assert [(e.text, e.label, e.start) for e in first.entities] == [
        ("قاآني", "PERS", 4),
        ("بغداد", "GPE", 10),
    ]
    assert (first.id, second.id, second.text, second.entities) == ("dev-1", "dev-2", "لا أحد", ())


def test_entities_and_spans_are_read_together_and_other_groups_counted(tmp_path, caplog):
    doc = ARABIC("زار قاآني بغداد")
    doc.ents = [Span(doc, 1, 2, label="PERS")]
    doc.spans["sc"] = [Span(doc, 1, 2, label="PERS"), Span(doc, 2, 3, label="GPE")]
    doc.spans["coref_clusters_1"] = [Span(doc, 1, 2, label="PERS"), Span(doc, 0, 1)]
    doc.spans["ruler"] = [Span(doc, 0, 1, label="X"), Span(doc, 1, 2, label="X")]
    (read,) = docbin.read(stored(tmp_path / "a.spacy", doc), SCHEMA)
    assert [(e.text, e.label) for e in read.entities] == [("قاآني", "PERS"), ("بغداد", "GPE")]
    assert "2 × span of the group 'ruler', skipped" in caplog.text
    assert "1 × mention of a cluster that is no entity, skipped" in caplog.text


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path):
    for name in ("b", "a"):
        stored(tmp_path / f"{name}.spacy", ARABIC(f"نص {name}"))
    assert docbin.detects(tmp_path)
    assert [d.id for d in docbin.read(tmp_path, SCHEMA)] == ["a-1", "b-1"]
    docbin.write([document()], tmp_path / "new", SCHEMA)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["train.spacy"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no \.spacy file"):
        docbin.read(tmp_path / "empty", SCHEMA)


def test_an_unknown_label_is_named(tmp_path):
    doc = ARABIC("زار قاآني بغداد")
    doc.ents = [Span(doc, 1, 2, label="PRES")]
    with pytest.raises(
        DataError,
        match=r"a\.spacy: document 'a-1': unknown entity type 'PRES'; accepted: did you mean 'PERS'",
    ):
        docbin.read(stored(tmp_path / "a.spacy", doc), SCHEMA)


def test_a_span_outside_the_tokens_is_refused(tmp_path):
    doc, longer = ARABIC("زار قاآني بغداد"), ARABIC("زار قاآني بغداد وطهران وبيروت اليوم")
    group = SpanGroup(longer, name="sc", spans=[Span(longer, 4, 6, label="GPE")]).to_bytes()
    packed = DocBin(docs=[doc, longer])
    packed.span_groups[0] = srsly.msgpack_dumps({group: ["sc"]})
    packed.strings.add("GPE")
    (tmp_path / "a.spacy").write_bytes(packed.to_bytes())
    with pytest.raises(
        DataError,
        match=r"document 'a-1': .*span with start 4 and end 6 .* length 3.; accepted: spans of its tokens",
    ):
        docbin.read(tmp_path / "a.spacy", SCHEMA)


@pytest.mark.parametrize("cut", [0, 1, 30, -5])
def test_a_damaged_file_is_one_sentence(tmp_path, cut):
    docbin.write([document()], tmp_path / "a.spacy", SCHEMA)
    content = (tmp_path / "a.spacy").read_bytes()
    (tmp_path / "a.spacy").write_bytes(content[:cut])
    with pytest.raises(DataError, match="not a spaCy DocBin"):
        docbin.read(tmp_path / "a.spacy", SCHEMA)


def test_no_documents(tmp_path):
    assert docbin.write([], tmp_path / "a.spacy", SCHEMA) == Counter()
    assert docbin.read(tmp_path / "a.spacy", SCHEMA) == []
