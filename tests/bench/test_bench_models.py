"""The models that a run makes: the pipeline's classifier, random weights on an encoder, other numbers of labels."""

from pathlib import Path

import numpy as np
import pytest
from isnad.eval.bench import random_models
from isnad.eval.bench.density import Density, density
from isnad.eval.bench.label_counts import label_frequency, save_with_labels
from isnad.eval.bench.random_models import Size, bisect, random_model
from isnad.eval.bench.token_pipeline import TokenPipeline, outside_bias, save_token_classifier
from isnad.model.document import Document
from isnad.model.errors import ConfigError
from isnad.model.inference import Extractor
from isnad.model.text import paragraphs

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def texts(articles: list[Document]) -> list[str]:
    return [d.text for d in articles[:2]]


@pytest.fixture(scope="module")
def wanted(tiny_model: Path, texts: list[str]) -> Density:
    return density(Extractor.from_pretrained(tiny_model), texts)


def test_density(tiny_model: Path, texts: list[str], wanted: Density):
    found = Extractor.from_pretrained(tiny_model)(texts)
    assert wanted.entities == sum(len(d.entities) for d in found) > 0
    assert wanted.relations == sum(len(d.relations) for d in found)
    assert wanted.candidates >= wanted.entities and wanted.pairs > wanted.relations
    assert Density(200, 10, 4, 3, 1).per_hundred_words() == {
        "candidates": 5.0,
        "pairs": 2.0,
        "entities": 1.5,
        "relations": 0.5,
    }


def test_bias_of_outside_by_hand():
    # O, B-x, I-x: how much more each piece is of x than of O is 3, 2, 1, 0; the second goes on what the first began.
    logits = np.array([[0, 3, 0], [0, 0, 2], [0, 1, 0], [0, 0, 0]], dtype=np.float32)

    def entities(bias: float) -> int:
        inside = logits[:, 1:].max(axis=1) > bias
        begins = [
            inside[n] and not (n and inside[n - 1] and logits[n, 2] > logits[n, 1])
            for n in range(len(logits))
        ]
        return sum(begins)

    assert entities(outside_bias(logits, 1)) == 1 and entities(outside_bias(logits, 2)) == 2
    assert outside_bias(logits, 0) >= 3  # none
    assert entities(outside_bias(logits, 100)) == 3  # no more than there can be


def test_pipeline_has_the_encoder_and_finds_about_as_much(tiny_model: Path, tmp_path: Path, texts: list[str]):
    import torch
    from isnad.model.modeling import IsnadModel
    from transformers import AutoModelForTokenClassification

    folder = save_token_classifier(tiny_model, tmp_path / "classifier", texts, 60)
    ours = IsnadModel.from_pretrained(tiny_model)
    theirs = AutoModelForTokenClassification.from_pretrained(folder)
    state = theirs.encoder.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in ours.encoder.state_dict().items())
    labels = ours.schema.entity_labels
    assert theirs.config.num_labels == 2 * len(labels) + 1 and theirs.config.id2label[1] == f"B-{labels[0]}"
    items = [("", text) for text in texts]
    one = TokenPipeline(folder, 1, stride=24, device="cpu").predict(items)
    assert 40 <= sum(map(len, one)) <= 80
    assert len(one) == sum(len(paragraphs(t)) for t in texts)
    parts = [t[lo:hi] for t in texts for lo, hi in paragraphs(t)]
    assert all(
        0 <= e["start"] < e["end"] <= len(p) for p, found in zip(parts, one, strict=True) for e in found
    )
    eight = TokenPipeline(folder, 8, stride=24, device="cpu").predict(items)
    assert sum(map(len, eight)) == pytest.approx(sum(map(len, one)), abs=2)


def test_random_weights_find_as_much(
    tiny_model: Path, tmp_path: Path, texts: list[str], wanted: Density, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(random_models.SIZES, "bert-test", Size(1, 32, 2, 64))
    folder = random_model("bert-test", tiny_model, tmp_path / "random", texts, wanted)
    extractor = Extractor.from_pretrained(folder)
    assert extractor.config.encoder["hidden_size"] == 32 and extractor.name == "bert-test"
    found = density(extractor, texts)
    assert found.candidates == pytest.approx(wanted.candidates, abs=3)
    assert found.pairs == pytest.approx(wanted.pairs, rel=0.1)
    assert found.entities == pytest.approx(wanted.entities, rel=0.05)
    assert found.relations == pytest.approx(wanted.relations, abs=5)
    with pytest.raises(ConfigError, match=r"bert-bse.*bert-base"):
        random_model("bert-bse", tiny_model, tmp_path / "x", texts, wanted)


def test_bisect():
    assert bisect(lambda x: x >= 0.3, 0.0, 1.0, steps=20) == pytest.approx(0.3, abs=1e-5)
    assert bisect(lambda x: False, 0.0, 1.0) == 1.0


def test_other_numbers_of_labels(tiny_model: Path, tmp_path: Path, texts: list[str]):
    plain = Extractor.from_pretrained(tiny_model)
    documents = plain(texts)
    frequency = label_frequency(documents)
    types = len(plain.schema.entities)
    # Every type twice: the same spans, as a copy scores what its original does.
    twice = Extractor.from_pretrained(save_with_labels(tiny_model, tmp_path / "twice", 2 * types, frequency))
    assert len(twice.schema.entities) == 2 * types and len(twice.schema.relations) == len(
        plain.schema.relations
    )
    for before, after in zip(documents, twice(texts), strict=True):
        assert [(e.start, e.end, e.label) for e in before.entities] == [
            (e.start, e.end, e.label) for e in after.entities
        ]
        assert len(before.relations) == len(after.relations)
    common = [label for label, _ in frequency.most_common(2)]
    few = Extractor.from_pretrained(save_with_labels(tiny_model, tmp_path / "few", 2, frequency))
    assert set(few.schema.entity_labels) == set(common)
    assert all(set(r.head) <= set(common) >= set(r.tail) for r in few.schema.relations)
    assert sum(len(d.entities) for d in few(texts)) >= sum(frequency[label] for label in common) / 2
    with pytest.raises(ConfigError, match="--labels 0"):
        save_with_labels(tiny_model, tmp_path / "none", 0, frequency)
