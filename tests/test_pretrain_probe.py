"""The probe of encoders and the comparison of pretrainings, on a corpus of a few sentences."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from isnad.model.errors import ConfigError, DataError, ModelError
from isnad.training.config import load_config
from isnad.training.pretrain import compare as module
from isnad.training.pretrain.compare import VARIANTS, CompareConfig, compare, table
from isnad.training.pretrain.encoders import fresh_encoder
from isnad.training.pretrain.probe import Sentence, cut, load_sentences, main, probe, score
from isnad.training.pretrain.tokenizer import train_tokenizer

NAMES = ["محمد علي", "إسماعيل قاآني", "حسن نصرالله", "فالح الفيّاض"]
PLACES = ["بغداد", "بيروت", "دمشق", "النجف"]
SENTENCES = [
    [("زار", "O"), *zip(NAMES[n % 4].split(), ["B-PERS", "I-PERS"], strict=True), (PLACES[n // 2 % 4], "B-LOC"),
     ("يوم", "O"), (str(n % 28), "O"), (".", "O")]
    for n in range(80)
]  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    lines = "\n\n".join("\n".join(f"{w} {t}" for w, t in s) for s in SENTENCES)
    (folder / "train.txt").write_text(lines + "\n", encoding="utf-8")
    config = {
        "name": "toy",
        "paths": [str(folder / "train.txt")],
        "dev_share": 0.1,
        "labels": {"PERS": ["PERS"], "LOC": ["GPE", "LOC"]},
    }
    (folder / "toy.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder / "toy.yaml"


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([" ".join(w for w, _ in s) for s in SENTENCES], vocab_size=200, min_frequency=2)


@pytest.fixture(scope="module", params=["isnad-encoder", "electra"])
def encoder(request, tokenizer, tmp_path_factory) -> Path:
    sizes: dict[str, Any] = {
        "isnad-encoder": {"embedding_size": 24, "recurrent_size": 16, "hidden_size": 32},
        "electra": {"embedding_size": 24, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64,
                    "num_hidden_layers": 2},
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("encoder")
    fresh_encoder({"model_type": request.param, **sizes[request.param]}, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_sentences_of_a_corpus(corpus: Path) -> None:
    train, dev = (load_sentences(corpus, part) for part in ("train", "dev"))
    assert len(train) == 72 and len(dev) == 8
    assert [list(zip(s.words, s.tags, strict=True)) for s in train + dev] == SENTENCES


def test_the_probe_learns_and_is_repeatable(encoder: Path, corpus: Path) -> None:
    train, dev = (load_sentences(corpus, part) for part in ("train", "dev"))
    once = probe(encoder, train, dev, epochs=1)
    result = probe(encoder, train, dev, epochs=25)
    assert result["f1"] > 0.9 > once["f1"] and set(result["by_label"]) == {"PERS", "LOC"}
    again = probe(encoder, train, dev, epochs=1)
    assert once.pop("seconds") >= 0 and again.pop("seconds") >= 0 and again == once


def test_a_long_sentence_is_cut_and_not_dropped(tokenizer) -> None:
    words = ["زار", "حسن", "نصرالله", "بيروت", "\u0640", "ومستشفيات"] * 20
    tags = ["O", "B-PERS", "I-PERS", "B-LOC", "O", "O"] * 20
    index = {t: n for n, t in enumerate(sorted(set(tags)))}
    windows = cut(Sentence(words, tags), tokenizer, index, max_pieces=10)
    assert len(windows) > 10 and all(len(ids) == len(labels) <= 12 for ids, labels in windows)
    assert [n for _, labels in windows for n in labels if n != -100] == [index[t] for t in tags]
    assert all(ids[0] == tokenizer.cls_token_id and ids[-1] == tokenizer.sep_token_id for ids, _ in windows)
    plain = tokenizer(words, is_split_into_words=True, add_special_tokens=False)["input_ids"]
    joined = [i for ids, _ in windows for i in ids[1:-1]]
    assert len(joined) == len(plain) + 20, "the kashida alone, of which nothing is left, is an unknown piece"


def test_the_score_is_strict() -> None:
    gold = [Sentence(["أ", "ب", "ج"], ["B-PERS", "I-PERS", "O"])]
    assert score(gold, [["B-PERS", "I-PERS", "O"]])["f1"] == 1.0
    assert score(gold, [["I-PERS", "I-PERS", "O"]])["f1"] == 0.0, "I without B is no entity in strict IOB2"
    half = score(gold, [["B-PERS", "O", "B-PERS"]])
    assert half["f1"] == half["precision"] == 0.0


def test_the_probe_from_the_command_line(encoder: Path, corpus: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "result.json"
    assert main([str(encoder), "--corpus", str(corpus), "--seeds", "1,2", "-o", str(output)]) == 0
    result = json.loads(output.read_text(encoding="utf-8"))
    assert [r["seed"] for r in result["seeds"]] == [1, 2] and result["recipe"]["batch_size"] == 16
    assert result["f1"] == pytest.approx(sum(r["f1"] for r in result["seeds"]) / 2, abs=1e-4)
    assert main([str(tmp_path / "nowhere"), "--corpus", str(corpus)]) == 2
    assert "cannot load the encoder" in capsys.readouterr().err
    with pytest.raises(ModelError, match="cannot load"):
        probe(corpus.parent, *(load_sentences(corpus, part) for part in ("train", "dev")))


@pytest.fixture(scope="module")
def comparison(corpus: Path, tmp_path_factory) -> CompareConfig:
    text = tmp_path_factory.mktemp("text") / "news.txt"
    lines = [" ".join(w for w, _ in s) for s in SENTENCES for _ in range(2)]
    text.write_text("\n".join(lines) + "\n", encoding="utf-8")
    values = {
        "tokenizer_texts": {str(text): 1.0},
        "vector_texts": {str(text): 1.0},
        "vocab_size": 200,
        "vectors": {"dim": 16, "workers": 1},
        "encoder": {"embedding_size": 16, "recurrent_size": 8, "hidden_size": 16, "num_hidden_layers": 1},
        "generator": {"recurrent_size": 4, "hidden_size": 8},
        "minutes": 1.0,
        "block_size": 16,
        "batch_size": 4,
        "log_steps": 2,
        "precision": "fp32",
    }
    recipe = text.with_name("compare.yaml")
    recipe.write_text(
        yaml.safe_dump(
            {"core_minutes_each": 0.01, "corpus": str(corpus), "seeds": [1, 2], "pretraining": values}
        ),
        encoding="utf-8",
    )
    return load_config(recipe, CompareConfig)


def test_a_comparison_stores_everything_and_goes_on(comparison, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("gensim")
    output, work = tmp_path / "result/comparison.json", tmp_path / "work"
    real = module._run
    ran: list[str] = []

    def run(config: CompareConfig, name: str, *args: Any) -> Any:
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(name)
        return real(config, name, *args)

    monkeypatch.setattr(module, "_run", run)
    with pytest.raises(KeyboardInterrupt):
        compare(comparison, output, work)
    assert list(json.loads(output.read_text(encoding="utf-8"))["variants"]) == ran == ["mlm-cold", "mlm-warm"]
    monkeypatch.setattr(module, "_run", lambda c, n, *a: ran.append(n) or real(c, n, *a))
    content = compare(comparison, output, work)
    assert ran == list(VARIANTS), "what has a result is not run again"
    assert content == json.loads(output.read_text(encoding="utf-8"))
    for name, found in content["variants"].items():
        assert len(found["probe"]["seeds"]) == 2 and "spread" in found["probe"]
        trained = name in ("mlm-cold", "mlm-warm", "electra-warm")
        assert (found["steps"] > 0) == trained == bool(found.get("loss_history"))
        if trained:
            assert found["seconds"] == pytest.approx(0.6, abs=0.5) and found["tokens"] == found["steps"] * 64
            assert found["config"]["warm_start"] is name.endswith("warm")
    assert content["variants"]["electra-warm"]["objective"] == "electra"
    assert table(content).splitlines()[0].startswith("variant") and len(table(content).splitlines()) == 6
    assert compare(comparison, output, tmp_path / "elsewhere") == content
    with pytest.raises(ConfigError, match=r"results of another configuration \(core_minutes_each\)"):
        compare(replace(comparison, core_minutes_each=0.02), output, work)
    output.write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="not a result of a comparison"):
        compare(comparison, output, work)


def test_the_comparison_that_is_shipped_is_sound(root: Path) -> None:
    config = load_config(root / "configs/pretrain/compare.yaml", CompareConfig)
    assert len(config.seeds) > 1 and set(config.variants) == set(VARIANTS)
    cold = config.variant("mlm-cold")
    assert cold.warm_start is False and (cold.minutes, cold.steps) == (config.core_minutes_each, 0)
    assert config.variant("electra-warm").objective == "electra"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": ("mlm-worm",)}, "did you mean 'mlm-warm'"),
        ({"seeds": []}, r"seeds is \[\]"),
        ({"seeds": ["1"]}, "whole numbers"),
        ({"core_minutes_each": 0.0}, "core_minutes_each or epochs is not above 0"),
    ],
)
def test_a_faulty_comparison_is_refused(comparison, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(comparison, **changes)
