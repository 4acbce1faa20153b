"""Hugging Face datasets and parquet: everything comes back, by our reader and by anybody's."""

from dataclasses import replace
from pathlib import Path

import pytest
from isnad.model.document import Document, Entity, Relation
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import hub
from isnad.training.data.builder import DocumentBuilder
from isnad.training.data.files import Faults

datasets = pytest.importorskip("datasets")
pq = pytest.importorskip("pyarrow.parquet")

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
TEXT = "😀 زار قاآني بغداد والتقى الكاظمي"


def document(id: str = "خبر-1") -> Document:
    builder = DocumentBuilder(TEXT, SCHEMA, Faults(), id)
    for n, (name, label) in enumerate((("قاآني", "PERS"), ("بغداد", "GPE"), ("الكاظمي", "PERS")), 1):
        builder.mention(f"T{n}", TEXT.index(name), TEXT.index(name) + len(name), label)
    builder.relate("T1", "visited", "T2")
    builder.relate("T1", "met_with", "T3")
    builder.group(["T1", "T3"])
    return builder.build()


def scored() -> Document:
    """A document as a model makes it, with ids and an order that no reader would choose."""
    made = document("نموذج")
    third = 1 / 3
    entities = tuple(replace(e, id=f"m{e.id}", score=third) for e in made.entities)
    return replace(
        made,
        entities=entities,
        relations=(Relation("mT1", "met_with", "mT3", third), Relation("mT1", "visited", "mT2", 0.1)),
        clusters=(("mT3", "mT1"),),
        model="isnad-small",
    )


BARE = Document(text="لا أحد", schema={})
DOCUMENTS = [document(), scored(), BARE, Document(text="")]


def test_everything_comes_back_from_a_dataset(tmp_path):
    dataset = hub.to_dataset(DOCUMENTS)
    assert hub.from_dataset(dataset) == DOCUMENTS
    assert dataset.features == hub.features(SCHEMA)
    assert dataset[0]["entities"][0] == {
        **{
            "id": "T1",
            "start": 6,
            "end": 11,
            "label": "PERS",
            "text": "قاآني",
            "name": "قاآني",
            "score": 1.0,
        },
        **{"cluster": 0, "word_start": 6, "word_end": 11},
    }
    assert dataset[2]["entities"] == [] and dataset[1]["relations"][1]["score"] == 0.1
    hub.write(DOCUMENTS, tmp_path / "a.parquet", SCHEMA)
    assert hub.read(tmp_path / "a.parquet", SCHEMA) == DOCUMENTS


def test_no_documents(tmp_path):
    hub.write([], tmp_path / "a.parquet", SCHEMA)
    assert hub.read(tmp_path / "a.parquet", SCHEMA) == []


def test_class_labels_are_read_back_as_names(tmp_path):
    cast = hub.to_dataset(DOCUMENTS).cast(hub.features(SCHEMA, class_labels=True))
    assert cast[0]["entities"][1]["label"] == SCHEMA.entity_index["GPE"]
    assert cast[0]["relations"][0]["label"] == SCHEMA.relation_index["visited"]
    assert hub.from_dataset(cast, schema=SCHEMA) == DOCUMENTS
    cast.to_parquet(tmp_path / "a.parquet")
    assert hub.read(tmp_path / "a.parquet", SCHEMA) == DOCUMENTS
    with pytest.raises(DataError, match="class labels without a schema"):
        hub.features(class_labels=True)


def test_a_missing_class_label_is_a_fault():
    dataset = hub.to_dataset([BARE, document()]).cast(hub.features(SCHEMA, class_labels=True))
    row = dataset[1]
    row["entities"][0]["label"] = -1
    unknown = datasets.Dataset.from_list([row], features=dataset.features)
    with pytest.raises(DataError, match="row 1: KeyError: -1"):
        hub.from_dataset(unknown)


def test_a_schema_without_relations_has_class_labels_too():
    flat = replace(SCHEMA, relations=())
    cast = hub.to_dataset([BARE]).cast(hub.features(flat, class_labels=True))
    assert hub.from_dataset(cast, schema=flat) == [BARE]


def test_load_dataset_reads_the_file(tmp_path):
    hub.write(DOCUMENTS, tmp_path / "data", SCHEMA)
    file = tmp_path / "data" / "train.parquet"
    loaded = datasets.load_dataset(
        "parquet", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.features == hub.features()
    chosen = loaded.filter(lambda row: bool(row["relations"])).add_column("split", ["a", "b"])
    assert hub.from_dataset(chosen, schema=SCHEMA) == DOCUMENTS[:2]


def test_parquet_of_other_programs_is_read(tmp_path):
    """Without the metadata of datasets, with columns in another order and without the optional ones."""
    table = hub.to_dataset([document()]).data.table.replace_schema_metadata(None)
    pq.write_table(table.select(["relations", "entities", "clusters", "text", "id"]), tmp_path / "a.parquet")
    (read,) = hub.read(tmp_path / "a.parquet", SCHEMA)
    assert read == replace(document(), schema={})


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path):
    for n in (2, 1):
        hub.write([document(f"d-{n}")], tmp_path / "data" / f"train-0000{n}.parquet", SCHEMA)
    assert hub.detects(tmp_path) and not hub.detects(tmp_path / "absent")
    assert [d.id for d in hub.read(tmp_path, SCHEMA)] == ["d-1", "d-2"]
    (tmp_path / "empty").mkdir()
    assert not hub.detects(tmp_path / "empty")
    with pytest.raises(DataError, match=r"no \.parquet file in the folder"):
        hub.read(tmp_path / "empty", SCHEMA)


def test_what_the_stamp_cannot_hold_is_counted(tmp_path):
    stamped = replace(document(), schema={**document().schema, "author": "أمل"})
    assert hub.write([stamped], tmp_path / "a.parquet", SCHEMA) == {"entries of the schema stamp": 1}
    assert hub.read(tmp_path / "a.parquet", SCHEMA) == [document()]


def rows(tmp_path: Path, change: dict) -> Path:
    dataset = hub.to_dataset([document("a"), document("b")])
    changed = [row if n == 0 else row | change for n, row in enumerate(dataset)]
    made = datasets.Dataset.from_list(changed, features=hub.features())
    made.to_parquet(tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


def entity(**change) -> dict:
    base = document().entities[0]
    return {name: getattr(base, name) for name in Entity.__dataclass_fields__} | change


FAULTS = [
    (
        {"entities": [entity(start=7, end=12)], "relations": []},
        "row 2: document 'b': entity T1 [7:12] is",
        "code-point",
    ),
    (
        {"entities": [entity(end=99)], "relations": []},
        "row 2: document 'b': entity T1 [6:99] is",
        "text[start:end]",
    ),
    (
        {"entities": [entity()] * 2, "relations": []},
        "row 2: document 'b': two entities share one id",
        "unique ids",
    ),
    (
        {"entities": [entity()]},
        "row 2: document 'b': relation visited names the unknown entity 'T2'",
        "to_dataset",
    ),
    ({"clusters": [["T7"]]}, "row 2: document 'b': a cluster names the unknown entity 'T7'", "to_dataset"),
    ({"entities": [entity(start=None)], "relations": []}, "row 2: TypeError", "to_dataset"),
    ({"text": None}, "row 2: TypeError", "to_dataset"),
]


@pytest.mark.parametrize(("change", "found", "accepted"), FAULTS, ids=lambda v: str(v)[:24])
def test_faults_name_the_row(tmp_path, change, found, accepted):
    if "clusters" not in change:
        change = {"clusters": []} | change
    with pytest.raises(DataError) as caught:
        hub.read(rows(tmp_path, change), SCHEMA)
    assert found in str(caught.value) and accepted in str(caught.value), str(caught.value)


def test_labels_that_the_schema_lacks_are_named(tmp_path):
    made = document()
    made = replace(made, entities=(replace(made.entities[0], label="PRES"), *made.entities[1:]))
    path = tmp_path / "a.parquet"
    hub.write([made], path, SCHEMA)
    with pytest.raises(
        DataError, match=r"document 'خبر-1': T1: unknown entity type 'PRES'; .*did you mean 'PERS'"
    ):
        hub.read(path, SCHEMA)
    assert hub.from_dataset(hub.to_dataset([made])) == [made]


def test_other_columns_are_named(tmp_path):
    other = datasets.Dataset.from_dict({"tokens": [["زار"]], "ner_tags": [[0]]})
    with pytest.raises(
        DataError, match=r"no column 'id', 'text', 'entities', 'relations'; there are tokens, ner_tags"
    ):
        hub.from_dataset(other)
    wrong = hub.to_dataset([document()]).remove_columns("entities").add_column("entities", ["PERS"])
    with pytest.raises(DataError, match="row 1: "):
        hub.from_dataset(wrong)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 40 + b"PAR1", "زار".encode()], ids=repr)
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet: not a parquet file"):
        hub.read(tmp_path / "a.parquet", SCHEMA)
