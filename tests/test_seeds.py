"""The seeds: every file reads, round-trips in every format, and is what the data sheet says."""

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.render.brat import to_brat
from isnad.model.schema import LabelSchema
from isnad.training.data import brat, datasheet, detect_format, inline, seeds
from isnad.training.data.split import set_of, split_ids, split_yaml

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "seeds"
SCHEMA = LabelSchema.from_yaml(ROOT / "configs" / "schemas" / "wojood.yaml")

# The articles are quoted to the byte; these are the digests of the files as they were given.
ARTICLES = {
    "000_7cbcb4e0d9d07eb7": "83934f574c77912c",
    "001_3e1b07f96af40a9e": "eb81aa447c130fff",
    "002_5b4b59b2edf3ac18": "868acb427c43b8f2",
    "003_4f7f3227c46c7de5": "f9cc9c451362b821",
    "004_2423b99ce3cfbf06": "446371439b482759",
}


@pytest.fixture(scope="module")
def articles() -> list[Document]:
    return seeds.load_articles(SCHEMA)


@pytest.fixture(scope="module")
def authored() -> list[Document]:
    return seeds.load_authored(SCHEMA, "all")


def test_the_articles_are_the_given_bytes(articles):
    assert {d.id for d in articles} == set(ARTICLES)
    for document in articles:
        data = (SEEDS / "articles" / f"{document.id}.txt").read_bytes()
        assert hashlib.sha256(data).hexdigest()[:16] == ARTICLES[document.id]
        assert document.text.encode("utf-8") == data


def test_every_document_round_trips_through_brat_and_inline(articles, authored):
    for document in [*articles, *authored]:
        assert brat.parse_ann(document.text, to_brat(document), SCHEMA, id=document.id) == document
        assert inline.parse_inline(inline.format_inline(document), SCHEMA) == [document]


def test_the_files_are_what_the_writer_writes(tmp_path, articles, authored):
    for name, documents in (("articles", articles), ("authored", authored)):
        brat.write(documents, tmp_path / name, SCHEMA)
        written = {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()}
        committed = {p.name: p.read_bytes() for p in (SEEDS / name).iterdir()}
        assert written == committed


def test_offsets_and_relations_keep_to_the_guidelines(articles, authored):
    for document in [*articles, *authored]:
        ids = document.by_id()
        for e in document.entities:
            assert document.text[e.start : e.end] == e.text == e.text.strip()
            assert "\n" not in e.text
            assert e.word_start <= e.start < e.end <= e.word_end
        for r in document.relations:
            head, tail = ids[r.head], ids[r.tail]
            assert "\n" not in document.text[min(head.start, tail.start) : max(head.end, tail.end)]
        for cluster in document.clusters:
            assert len({ids[m].label for m in cluster}) == 1


def test_the_schema_lets_every_type_corefer_that_has_groups_but_roles(articles, authored):
    grouped = {d.by_id()[c[0]].label for d in [*articles, *authored] for c in d.clusters}
    assert grouped == SCHEMA.coreferent_labels | {"OCC"}


def test_known_annotations(articles):
    first = articles[0]
    names = {e.id: e.name for e in first.entities}
    triples = {(names[r.head], r.label, names[r.tail]) for r in first.relations}
    assert ("قاآني", "visited", "العراق") in triples
    assert ("فيلق القدس", "part_of", "الحرس الثوري") in triples
    elided = first.entities[1]
    assert (elided.text, elided.name, first.text[elided.start - 1]) == ("لعراق", "العراق", "ل")
    assert any({names[m] for m in c} >= {"قاآني", "إسماعيل قاآني"} for c in first.clusters)


def test_the_committed_split_is_the_function_of_the_ids(authored):
    ids = [d.id for d in authored]
    assert (SEEDS / "split.yaml").read_text(encoding="utf-8") == split_yaml(ids)
    split = seeds.load_split()
    assert sorted(split["train"] + split["dev"]) == sorted(ids)
    for name, total in Counter(map(set_of, ids)).items():
        dev = sum(set_of(i) == name for i in split["dev"])
        assert abs(dev / total - 0.15) < 0.02, name


def test_the_split_depends_on_seed_and_ids_alone():
    ids = [f"{s}-{n:03d}" for s in ("أ", "ب") for n in range(40)]
    split = split_ids(ids)
    assert split == split_ids(reversed(ids))
    assert len(split["dev"]) == 12
    assert split_ids(ids, seed="other") != split
    more = split_ids([*ids, *(f"ج-{n}" for n in range(10))])
    assert [i for i in more["dev"] if not i.startswith("ج")] == split["dev"]
    assert split_ids(ids, dev_share=0.0)["dev"] == []


def test_loading_the_parts(authored):
    in_dev = set(seeds.load_split()["dev"])
    assert seeds.load_authored(SCHEMA, "dev") == [d for d in authored if d.id in in_dev]
    with pytest.raises(DataError, match="unknown part 'test'; accepted: known: train, dev, all"):
        seeds.load_authored(SCHEMA, "test")


def test_leave_one_out_holds_out_each_document_once(articles):
    folds = seeds.leave_one_out(articles)
    assert [held_out for _, held_out in folds] == articles
    assert all(len(rest) == 4 and held_out not in rest for rest, held_out in folds)


def test_without_a_checkout_the_error_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(seeds, "__file__", str(tmp_path / "isnad" / "training" / "data" / "seeds.py"))
    with pytest.raises(
        DataError, match="not to the installed package; accepted: a checkout of the repository"
    ):
        seeds.load_articles(SCHEMA)


def test_a_split_that_misses_a_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "authored").mkdir()
    (tmp_path / "authored" / "أ-1.txt").touch()
    (tmp_path / "split.yaml").write_text("train: []\ndev: [أ-2]\n", encoding="utf-8")
    monkeypatch.setattr(seeds, "seeds_folder", lambda: tmp_path)
    with pytest.raises(DataError, match="2 ids differ from the files in authored/"):
        seeds.load_split()


def test_the_data_sheet_counts_what_is_there():
    readme = (SEEDS / "README.md").read_text(encoding="utf-8")
    assert datasheet.updated(readme, datasheet.counts_table(SCHEMA)) == readme
    for statement in (
        "CC BY 4.0",
        "invented",
        "political opinion",
        "0.991",
        "0.967",
        "independent agreement",
    ):
        assert statement in readme


def test_train_and_dev_have_no_near_duplicates(authored):
    in_dev = set(seeds.load_split()["dev"])
    train, dev = [d for d in authored if d.id not in in_dev], [d for d in authored if d.id in in_dev]
    assert max(datasheet.shared_ngrams(train, dev).values(), default=0) <= 1
    copied = Document(text=dev[0].text[:200], id="copy")
    assert datasheet.shared_ngrams([copied], dev[:3])[("copy", dev[0].id)] > 10


def test_metadata_names_every_document(articles, authored):
    metadata = seeds.load_metadata()
    assert list(metadata) == [d.id for d in [*articles, *authored]]
    for document in [*articles, *authored]:
        row = metadata[document.id]
        assert row["rough"] == datasheet.rough_orthography(document.text)
        assert row["part"] == ("articles" if document.id in ARTICLES else "authored")
        assert row["topic"]
        assert row["origin"] == ("seed" if document.id in ARTICLES else "authored")


def test_rough_orthography():
    assert datasheet.rough_orthography("اعلن المدير ان الفريق وصل الى بغداد وانه سيغادر")
    assert not datasheet.rough_orthography("أعلن المدير أن الفريق وصل إلى بغداد وأنّه سيغادر")
    assert not datasheet.rough_orthography("وصل الفريق")


def test_folders_and_files_are_detected(articles):
    assert detect_format(SEEDS / "articles").name == "brat"
    assert detect_format(SEEDS / "articles" / f"{articles[0].id}.txt").name == "brat"


def test_no_file_of_the_seeds_names_this_machine():
    for path in SEEDS.rglob("*"):
        if path.is_file() and path.suffix != ".txt":
            assert not re.search(r"/work/|/tmp/|/home/", path.read_text(encoding="utf-8")), path
