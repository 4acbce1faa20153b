"""Every YAML file in configs/ is read by what it configures, and a slip in it is named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from isnad.eval.ablation import AblationConfig
from isnad.eval.benchmark.config import load_benchmark_config
from isnad.eval.benchmark.labels import LabelMap
from isnad.model.errors import IsnadError
from isnad.model.schema import LabelSchema
from isnad.training.config import FinetuneConfig, load_config, override
from isnad.training.data import write_documents
from isnad.training.data.annotation import Annotation
from isnad.training.data.corpora import corpus_config
from isnad.training.data.corpus_config import CorpusConfig
from isnad.training.data.sources import (
    CORPUS,
    find_config,
    load_schema,
    load_source,
    load_sources,
    load_split,
    load_texts,
)
from isnad.training.pretrain.compare import CompareConfig
from isnad.training.pretrain.settings import PretrainConfig

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
READERS: dict[str, Callable[[Path], Any]] = {
    "ablation": lambda path: load_config(path, AblationConfig),
    "benchmark": lambda path: (LabelMap.read if "-on-" in path.stem else load_benchmark_config)(path),
    "data": lambda path: load_config(path, CorpusConfig),
    "finetune": lambda path: load_config(path, FinetuneConfig),
    "pretrain": lambda path: load_config(path, CompareConfig if path.stem == "compare" else PretrainConfig),
    "schemas": LabelSchema.from_yaml,
}
FILES = sorted(CONFIGS.rglob("*.yaml")) + sorted(CONFIGS.rglob("*.yml"))


def kind(path: Path) -> str:
    return path.relative_to(CONFIGS).parts[0]


def name(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def test_every_kind_of_configuration_is_tested():
    assert {kind(path) for path in FILES} == set(READERS)
    assert all(path.suffix == ".yaml" for path in FILES), "package data and names look for .yaml only"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_loads(path: Path):
    READERS[kind(path)](path)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_key_with_a_slip_is_refused_and_the_right_one_named(path: Path, tmp_path: Path):
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    places = [("", data)] + [
        (key, data.get(key)) for key in ("encoder", "data", "augment", "distil") if kind(path) == "finetune"
    ]
    for where, mapping in places:
        for key in list(mapping or {}):
            mapping[key + "x"] = mapping.pop(key)
            copy = tmp_path / path.name
            copy.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
            with pytest.raises(IsnadError) as caught:
                READERS[kind(path)](copy)
            message = str(caught.value)
            assert repr(key + "x") in message and f"did you mean {key!r}" in message, (where, message)
            assert path.name in message
            mapping[key] = mapping.pop(key + "x")


@pytest.mark.parametrize("path", [p for p in FILES if kind(p) == "finetune"], ids=name)
def test_data_of_finetuning_exists_and_is_disjoint(path: Path):
    config = load_config(path, FinetuneConfig)
    schema = load_schema(config.data.schema)
    # Public corpora are not part of the project: that their descriptions fit the schema is all there is to test.
    named = [n.removeprefix(CORPUS).partition("/")[0] for n in config.data.train if n.startswith(CORPUS)]
    assert {d for n in named for d in corpus_config(n).labels} <= set(schema.entity_labels)
    for corpus in map(corpus_config, config.data.corpora):
        labels = {tag: tuple(names) for tag, names in corpus.labels.items()}
        Annotation(labels, frozenset(corpus.annotated)).check(schema)
    if named:
        return
    train, dev = load_split(config.data.train, config.data.dev, schema)
    assert len(train) > len(dev) > 0
    assert {e.label for d in train for e in d.entities} <= set(schema.entity_labels)


@pytest.mark.parametrize("path", [p for p in FILES if kind(p) == "pretrain"], ids=name)
def test_pretraining_sizes_are_those_of_the_encoder(path: Path):
    from transformers import AutoConfig

    read = READERS["pretrain"](path)
    config = getattr(read, "pretraining", read)
    sizes = dict(config.encoder)
    encoder = AutoConfig.for_model(
        sizes.pop("model_type", "isnad-encoder"), vocab_size=config.vocab_size, **sizes
    )
    known = encoder.to_dict()
    for key, value in sizes.items():
        assert key in known and getattr(encoder, key) == value


def test_seeds_names_every_key():
    """The recipe to copy shows all there is, so that nobody has to read the source to find a key."""
    from dataclasses import fields

    from isnad.training.config import AugmentConfig, DataConfig, DistilConfig, ExtendConfig, LoraConfig

    data = yaml.safe_load((CONFIGS / "finetune/seeds.yaml").read_text(encoding="utf-8"))
    assert set(data) == {f.name for f in fields(FinetuneConfig)}
    assert set(data["data"]) == {f.name for f in fields(DataConfig)}
    assert set(data["augment"]) == {f.name for f in fields(AugmentConfig)}
    assert set(data["distil"]) == {f.name for f in fields(DistilConfig)}
    assert set(data["lora"]) == {f.name for f in fields(LoraConfig)}
    assert set(data["extend"]) == {f.name for f in fields(ExtendConfig)}


@pytest.mark.parametrize("path", [p for p in FILES if kind(p) == "ablation"], ids=name)
def test_what_an_ablation_changes_are_keys_of_its_base(path: Path):
    config = load_config(path, AblationConfig)
    base = load_config(find_config(config.base, "finetune"), FinetuneConfig)
    base = override(base, config.settings, where="settings")
    for run, (changes, seed) in config.runs().items():
        assert override(base, {**changes, "seed": seed}, where=run) != base or (
            not changes and seed == base.seed
        )


def test_find_config_by_path_and_by_name(tmp_path: Path):
    own = tmp_path / "own.yaml"
    own.write_text("epochs: 1\n", encoding="utf-8")
    assert find_config(own, "finetune") == own
    assert find_config("seeds", "finetune") == CONFIGS / "finetune/seeds.yaml"
    assert find_config("wojood", "schemas") == CONFIGS / "schemas/wojood.yaml"
    with pytest.raises(IsnadError, match=r"no file 'configs/finetune/seds\.yaml'.*did you mean 'seeds'"):
        find_config("configs/finetune/seds.yaml", "finetune")


def test_sources_by_name(schema: LabelSchema):
    articles = load_source("seeds:articles", schema)
    assert len(articles) == 5
    assert load_texts("seeds:articles") == [article.text for article in articles]
    train, dev, whole = (load_source(f"seeds:authored/{part}", schema) for part in ("train", "dev", "all"))
    assert len(train) + len(dev) == len(whole) and len(dev) > 0
    for wrong, hint in (
        ("seeds:article", "did you mean 'seeds:articles'"),
        ("seeds:authored", "seeds:authored/train"),
        ("nowhere/at/all", "no such file or folder"),
    ):
        with pytest.raises(IsnadError, match=hint):
            load_source(wrong, schema)


def test_development_documents_may_not_be_learned(schema: LabelSchema):
    with pytest.raises(IsnadError, match=r"is among the training documents too.*share no text"):
        load_split(["seeds:articles", "seeds:authored/train"], ["seeds:articles"], schema)


def test_what_a_model_found_is_no_gold(schema: LabelSchema, tmp_path: Path):
    path = tmp_path / "found.jsonl"
    found = [replace(document, model="isnad-small") for document in load_source("seeds:articles", schema)]
    write_documents(found, path, format="jsonl", schema=schema)
    assert load_source(str(path), schema)
    with pytest.raises(IsnadError, match="what the model 'isnad-small' found, not what a person annotated"):
        load_sources([str(path)], schema)


def test_what_is_corrected_in_part_is_taken_in_part(
    schema: LabelSchema, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Of an export of all tasks, those that nobody has looked at hold predictions only."""
    path = tmp_path / "export.json"
    first, second, *rest = load_source("seeds:articles", schema)
    documents = [
        replace(first, model="isnad-small"),
        second,
        *(replace(d, model="isnad-small") for d in rest),
    ]
    write_documents(documents, path, format="label-studio", schema=schema)
    assert [d.id for d in load_sources([str(path)], schema)] == [second.id]
    assert (
        f"4 of 5 documents hold what a model found and are left out: nobody has corrected them ({first.id}"
        in (caplog.text)
    )
