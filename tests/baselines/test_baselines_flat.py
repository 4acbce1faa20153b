"""The token classifier of the baselines, the encoders it takes, and the faults that both baselines report."""

import pytest
from isnad.model.document import Document
from isnad.model.errors import ConfigError, IsnadError, ModelError, SchemaError
from isnad.training.baselines.crf import CrfTagger
from isnad.training.baselines.encoders import load_encoder
from isnad.training.baselines.flat import FlatTagger
from isnad.training.baselines.iob2 import tag, tag_set
from isnad.training.baselines.scores import flat_scores
from isnad.training.config import EncoderConfig


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """These models are so small that a second thread only waits for the first."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def flat(schema, train, tiny_encoder) -> FlatTagger:
    tagger = FlatTagger(
        schema,
        encoder=tiny_encoder,
        epochs=6,
        batch_size=8,
        learning_rate=0.02,
        precision="fp32",
        max_pieces=48,
        overlap_pieces=8,
    )
    tagger.fit(train, train[:4])
    return tagger


def test_the_classifier_learns_and_never_leaves_the_schema(flat, schema, train, assert_sound, hostile):
    assert len(flat.history) <= 6 and max(flat.history) > 0.1
    # The state of the best epoch was kept, not that of the last.
    kept = flat_scores(train[:4], flat.predict(train[:4]), schema)["micro"]["f1"]
    assert kept == pytest.approx(max(flat.history))
    for document in [*flat.predict(train), *flat.predict(hostile)]:
        assert_sound(document, schema)


def test_the_classifier_is_the_same_after_save_and_load(flat, dev, tmp_path):
    folder = flat.save(tmp_path / "flat")
    names = {p.name for p in folder.iterdir()}
    assert {"tagger.json", "config.json", "model.safetensors", "tokenizer.json", "manifest.json"} <= names
    assert not [n for n in names if not n.endswith((".json", ".safetensors"))]
    loaded = FlatTagger.load(folder)
    found = flat.predict(dev)
    assert any(d.entities for d in found)
    assert loaded.predict(dev) == found
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="manifest"):
        FlatTagger.load(folder)


def test_no_word_is_cut_off_a_long_paragraph(flat, dev, annotated):
    # 48 pieces a window: every paragraph here takes many.
    text = " ".join(d.text.replace("\n", " ") for d in dev)
    (found,) = flat.predict([text])
    assert found.entities[-1].start > len(text) * 0.9
    rows = flat._examples(annotated(text, id="طويل"))
    labelled = sum(label != -100 for row in rows for label in row["labels"])
    assert len(rows) > 10 and labelled == len(tag(Document(text))[0].words)


def test_the_weights_of_the_encoder_are_taken_over(tiny_encoder, schema):
    from isnad.model.encoder import IsnadEncoderModel

    source = IsnadEncoderModel.from_pretrained(tiny_encoder).state_dict()
    model, _, _ = load_encoder(EncoderConfig(path=str(tiny_encoder)), tag_set(schema))
    taken = model.encoder.state_dict()
    assert set(taken) == set(source)
    assert all(bool((taken[k] == v).all()) for k, v in source.items())
    assert model.config.id2label[1] == f"B-{schema.entity_labels[0]}"


def test_any_bert_will_do_and_a_seed_decides(schema, train, tiny_encoder, tmp_path):
    sizes = {
        "model_type": "bert",
        "vocab_size": 600,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 64,
    }
    options = {"epochs": 1, "batch_size": 8, "learning_rate": 0.05, "precision": "bf16"}
    encoder = EncoderConfig(path=str(tiny_encoder), scratch=sizes)
    taggers = [FlatTagger(schema, encoder=encoder, **options) for _ in range(2)]
    for tagger in taggers:
        tagger.fit(train[:4], train[:1])
        assert len(tagger.history) == 1
    one, two = (t._model.state_dict() for t in taggers)
    assert all(bool((one[k] == two[k]).all()) for k in one)
    loaded = FlatTagger.load(taggers[0].save(tmp_path / "bert"))
    assert loaded.predict(train) == taggers[0].predict(train)
    assert loaded._score(list(loaded._maker.windows(train[0].text))).keys() == {
        w for p in tag(train[0]) for w in p.words
    }


# -- faults --


@pytest.mark.parametrize("cls", [CrfTagger, FlatTagger])
def test_options_and_data_are_checked(cls, schema, train, tiny_encoder, tmp_path, annotated):
    with pytest.raises(ConfigError, match="did you mean"):
        cls(schema, **({"max_iteration": 3} if cls is CrfTagger else {"epoch": 3}))
    with pytest.raises(ConfigError, match="accepted"):
        cls(schema, **({"c1": -1.0} if cls is CrfTagger else {"learning_rate": 0.0}))
    tagger = cls(schema, **({} if cls is CrfTagger else {"encoder": tiny_encoder}))
    for call in (lambda: tagger.predict(["بغداد"]), lambda: tagger.save(tmp_path / "nothing")):
        with pytest.raises(IsnadError, match="before fit"):
            call()
    with pytest.raises(ConfigError, match="0 training documents"):
        tagger.fit([], train)
    with pytest.raises(ConfigError, match="no words"):
        tagger.fit([Document(" \n ")], train)
    with pytest.raises(SchemaError, match="did you mean 'PERS'"):
        tagger.fit([annotated("قاسم سليماني", "قاسم سليماني|PERSO")], train)
    with pytest.raises(ModelError, match="no tagger"):
        cls.load(tmp_path)


def test_encoders_that_will_not_do(schema, train, tiny_encoder, tiny_model, tmp_path):
    def attempt(**encoder: object) -> None:
        FlatTagger(schema, encoder=encoder).fit(train[:1], train[:1])

    with pytest.raises(ModelError, match="joint model"):
        attempt(path=str(tiny_model))
    with pytest.raises(ModelError, match="no local folder"):
        attempt(path="owner/encoder")
    with pytest.raises(ModelError, match="cannot load the encoder"):
        attempt(path=str(tmp_path))
    with pytest.raises(ConfigError, match="scratch"):
        attempt(path=str(tiny_encoder), scratch={"model_type": "brt"})
    with pytest.raises(ConfigError, match="vocab_size"):
        attempt(
            path=str(tiny_encoder),
            scratch={
                "model_type": "bert",
                "vocab_size": 9,
                "hidden_size": 8,
                "num_attention_heads": 2,
                "num_hidden_layers": 1,
            },
        )
