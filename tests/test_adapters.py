"""Models of other kinds: word pieces brought back to words, tag schemes, windows, absent packages."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from isnad.eval.benchmark import libraries
from isnad.eval.benchmark.adapters import open_model, open_models
from isnad.eval.benchmark.libraries import stretches
from isnad.eval.benchmark.token_classifier import TagScheme, open_token_classifier
from isnad.model.document import Document
from isnad.model.errors import ConfigError, ModelError
from isnad.model.schema import EntityType, LabelSchema
from isnad.model.text import words
from isnad.training.baselines.crf import CrfTagger

TEXT = "التقى إسماعيل قاآني في بغداد قادة الحشد، ثم غادر بغداد.\nوقال قاآني: «نَصْرُ الله» في بغـداد ١٢ 🙂"


def found(document: Document) -> list[tuple[str, str]]:
    assert all(document.text[e.start : e.end] == e.text for e in document.entities)
    return [(e.text, e.label) for e in document.entities]


def classifier(folder: Path, tokenizer_folder: Path, tags: list[str], tag_of_word: dict[str, str]) -> Path:
    """A BERT without layers that tags a word by its first piece alone: what it must find is known exactly."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForTokenClassification

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder, local_files_only=True)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        num_hidden_layers=0,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=40,
        pad_token_id=tokenizer.pad_token_id,
        id2label=dict(enumerate(tags)),
        label2id={t: n for n, t in enumerate(tags)},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.bert.embeddings.LayerNorm.weight.fill_(1.0)
        model.bert.embeddings.word_embeddings.weight[:, 0] = 1.0
        for word, tag in tag_of_word.items():
            piece = tokenizer([word], is_split_into_words=True, add_special_tokens=False)["input_ids"][0]
            row = model.bert.embeddings.word_embeddings.weight[piece]
            row.zero_()[tags.index(tag)] = 1.0
        model.classifier.weight.copy_(4 * torch.eye(len(tags), 8))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class TestTokenClassifier:
    def test_words_offsets_and_long_texts(self, tmp_path: Path, tiny_encoder: Path, schema: LabelSchema):
        tags = ["O", "B-PERS", "I-PERS", "B-GPE"]
        words_of = {"إسماعيل": "B-PERS", "قاآني": "I-PERS", "بغداد": "B-GPE"}
        folder = classifier(tmp_path / "bert", tiny_encoder, tags, words_of)
        candidate = open_model(f"hf:{folder}", schema=schema)
        assert candidate.kind == "hf" and candidate.schema.entity_labels == ("PERS", "GPE")
        assert candidate.schema.relations == () and candidate.size > 1000
        predictor = candidate.load()
        short, long, empty = predictor.predict([("a", TEXT), ("b", TEXT.replace("\n", " ") * 40), ("c", "")])
        assert (short.id, long.id, empty.entities) == ("a", "b", ())
        wanted = [("إسماعيل قاآني", "PERS"), ("بغداد", "GPE"), ("بغداد", "GPE")]
        # An I at the beginning of a sentence begins an entity, as in conlleval.
        assert [x for x in found(short) if x[0] in ("إسماعيل قاآني", "بغداد", "قاآني")][:4] == [
            *wanted,
            ("قاآني", "PERS"),
        ]
        # 40 positions, hundreds of words: nothing is cut, and every repetition is found.
        assert len(words(long.text)) > 900
        assert found(long).count(("إسماعيل قاآني", "PERS")) == 40
        assert [e.id for e in long.entities] == [f"T{n}" for n in range(1, len(long.entities) + 1)]
        assert all(0 < e.score < 1 for e in short.entities)

    @pytest.mark.parametrize(
        ("names", "rows", "wanted"),
        [
            (["O", "B-PERS", "I-PERS"], [1, 2, 1, 0, 2], [("a b", "PERS"), ("c", "PERS"), ("e", "PERS")]),
            (["O", "I-LOC", "B-LOC"], [1, 1, 2, 0, 1], [("a b", "LOC"), ("c", "LOC"), ("e", "LOC")]),
            (["B-X", "I-X", "E-X", "S-X", "O"], [0, 1, 2, 3, 4], [("a b c", "X"), ("d", "X")]),
            (["B-X", "I-X", "L-X", "U-X", "O"], [0, 2, 3, 3, 4], [("a b", "X"), ("c", "X"), ("d", "X")]),
            (["PER", "O", "LOC"], [0, 0, 2, 1, 0], [("a b", "PER"), ("c", "LOC"), ("e", "PER")]),
            (["O", "B_PERS", "I_PERS"], [1, 2, 0, 0, 0], [("a b", "PERS")]),
        ],
    )
    def test_schemes(self, names: list[str], rows: list[int], wanted: list[tuple[str, str]]):
        text = "a b c d e"
        scores = [0.9, 0.5, 0.8, 0.7, 0.6]
        scheme = TagScheme.read(names, "here")
        entities = list(scheme.entities(text, words(text), list(zip(rows, scores, strict=True))))
        assert [(e.text, e.label) for e in entities] == wanted
        if wanted[0][0] == "a b":
            assert entities[0].score == 0.5

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["LABEL_0", "LABEL_1"], "its classes have no names"),
            ([], "its classes have no names"),
            (["O", "B-PERS", "LOC"], "the class 'LOC' has no prefix"),
            (["B-PERS", "I-PERS"], "accepted: O and some tags"),
        ],
    )
    def test_classes_that_are_no_tags(self, names: list[str], message: str):
        with pytest.raises(ModelError, match=message):
            TagScheme.read(names, "here")

    def test_faulty_folders(self, tmp_path: Path, tiny_encoder: Path, tiny_model: Path, schema: LabelSchema):
        with pytest.raises(ModelError, match="no folder"):
            open_model("hf:nowhere", schema=schema)
        with pytest.raises(ConfigError, match="write --download"):
            open_model("hf:owner/name", schema=schema)
        with pytest.raises(ModelError, match=r"config\.json is missing"):
            open_token_classifier(str(tmp_path))
        # A bare encoder whose configuration names classes has no trained classifier.
        folder = classifier(tmp_path / "bert", tiny_encoder, ["O", "B-X"], {})
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        save_file({k: v for k, v in weights.items() if "classifier" not in k}, folder / "model.safetensors")
        with pytest.raises(ModelError, match="not a bare encoder"):
            open_model(f"hf:{folder}", schema=schema).load()
        (folder / "model.safetensors").unlink()
        with pytest.raises(ModelError, match="safetensors"):
            open_model(f"hf:{folder}", schema=schema)
        with pytest.raises(ModelError, match=r"no isnad model but 'bert'; accepted: hf:"):
            open_model(str(folder), schema=schema)
        assert config["model_type"] == "bert"


class TestBenchmark:
    def test_a_map_or_nothing(
        self, isnad: Callable, refused: Callable, tmp_path: Path, tiny_encoder: Path, articles: list[Document],
        monkeypatch: pytest.MonkeyPatch,
    ):  # fmt: skip
        monkeypatch.setenv("ISNAD_HOME", str(tmp_path / "home"))
        tags = ["O", "B-PER", "I-PER", "B-COUNTRY", "B-MISC"]
        folder = classifier(
            tmp_path / "bert", tiny_encoder, tags, {"العراق": "B-COUNTRY", "ايران": "B-COUNTRY"}
        )
        command = ("benchmark", f"hf:{folder}", "-d", "seeds:articles", "-o", tmp_path / "out")
        refused(
            isnad(*command),
            "bert has the labels PER, COUNTRY, MISC, and seeds:articles has PERS, NORP",
            "--map",
        )
        assert not (tmp_path / "out").exists()
        path = tmp_path / "map.yaml"
        path.write_text("PER: PERS\nCOUNTRY: GPE\nMISC: null\n", encoding="utf-8")
        done = isnad(*command, "--map", path)
        assert done.exit_code == 0, (done.stderr, done.exception)
        stored = json.loads((tmp_path / "out/results/bert--seeds-articles.json").read_text(encoding="utf-8"))
        right, wrong, missed = stored["evaluation"]["documents"][0]["entities"]["GPE"]
        wanted = sum(e.label == "GPE" for e in sorted(articles, key=lambda d: d.id)[0].entities)
        assert right + missed == wanted and right + wrong > 0
        assert stored["labels"]["source"] == "map" and "relations" in stored["scores"]


class TestOpen:
    def test_names_and_hashes(self, tiny_model: Path, schema: LabelSchema):
        plain, called = (open_model(s, schema=schema) for s in (str(tiny_model), f"new={tiny_model}"))
        assert (plain.name, called.name) == ("tiny", "new")
        assert plain.hash == called.hash and len(plain.hash) == 12 and called.spec == str(tiny_model)
        with pytest.raises(ConfigError, match="named 2 times"):
            open_models([str(tiny_model), str(tiny_model)], schema=schema)
        with pytest.raises(ConfigError, match="no models"):
            open_models([], schema=schema)

    def test_two_of_one_name_show_their_hashes(self, tmp_path: Path, tiny_model: Path, schema: LabelSchema):
        import shutil

        other = shutil.copytree(tiny_model, tmp_path / "other")
        (other / "manifest.json").unlink()
        config = json.loads((other / "config.json").read_text(encoding="utf-8"))
        (other / "config.json").write_text(json.dumps(config | {"same_start": 0.5}), encoding="utf-8")
        a, b = open_models([str(tiny_model), str(other)], schema=schema)
        assert a.hash != b.hash
        assert [c.name for c in (a, b)] == [f"tiny@{a.hash[:6]}", f"tiny@{b.hash[:6]}"]

    def test_unknown_models(self, schema: LabelSchema):
        with pytest.raises(ModelError, match="embedded model: isnad-small"):
            open_model("isnad-smal", schema=schema)
        with pytest.raises(ConfigError, match="did you mean 'stanza'"):
            open_model("stanzas:ar", schema=schema)
        with pytest.raises(ConfigError, match="write --download"):
            open_model("owner/name", schema=schema)

    def test_saved_baseline(self, tmp_path: Path, schema: LabelSchema, articles: list[Document]):
        tagger = CrfTagger(schema, max_iterations=3)
        tagger.fit(articles[:1])
        candidate = open_model(str(tagger.save(tmp_path / "crf")), schema=schema)
        assert (candidate.name, candidate.kind) == ("crf", "crf")
        assert candidate.schema.entity_labels == schema.entity_labels and not candidate.schema.relations
        (document,) = candidate.load().predict([("x", articles[0].text)])
        assert document.id == "x" and document.entities == tagger.predict(articles[:1])[0].entities


class TestLibraries:
    @pytest.mark.parametrize(
        ("spec", "package"),
        [("gliner:a/b", "gliner"), ("stanza:ar", "stanza"), ("camel:arabert", "camel-tools")],
    )
    def test_absent_package(
        self, monkeypatch: pytest.MonkeyPatch, schema: LabelSchema, spec: str, package: str
    ):
        monkeypatch.setattr(libraries, "find_spec", lambda name: None)
        with pytest.raises(ConfigError, match=f"pip install '{package}'"):
            open_model(spec, schema=schema)

    def test_stretches_hold_every_word_once(self, articles: list[Document]):
        text = articles[0].text
        parts = list(stretches(text, 25))
        assert [w for part in parts for w in part] == words(text)
        assert all(0 < len(part) <= 25 for part in parts) and len(parts) > 10

    def test_offsets_of_gliner_and_camel(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        """Their interfaces are imitated; what is tested is what the adapters make of the answers."""
        labels = LabelSchema("two", (EntityType("PERS", en="person"), EntityType("GPE", en="country, city")))
        asked: list[list[str]] = []

        class GLiNER:
            @classmethod
            def from_pretrained(cls, name: str, local_files_only: bool) -> "GLiNER":
                assert local_files_only
                return cls()

            def predict_entities(self, text: str, names: list[str], flat_ner: bool) -> list[dict[str, Any]]:
                asked.append(names)
                at = text.find("قاآني")
                return [{"start": at, "end": at + 5, "label": "person", "score": 0.5}] if at >= 0 else []

        class NERecognizer:
            @staticmethod
            def labels() -> list[str]:
                return ["O", "B-LOC", "I-LOC"]

            @classmethod
            def pretrained(cls, name: str) -> "NERecognizer":
                return cls()

            def predict_sentence(self, tokens: list[str]) -> list[str]:
                return ["B-LOC" if t == "بغداد" else "O" for t in tokens]

        camel = ModuleType("camel_tools.ner")
        camel.NERecognizer = NERecognizer  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "gliner", SimpleNamespace(GLiNER=GLiNER))
        monkeypatch.setitem(sys.modules, "camel_tools", ModuleType("camel_tools"))
        monkeypatch.setitem(sys.modules, "camel_tools.ner", camel)
        monkeypatch.setattr(libraries, "find_spec", lambda name: name)
        monkeypatch.setattr(libraries, "version", lambda name: "1.0")
        monkeypatch.setattr(libraries, "code_hash", lambda *patterns, libraries: "c0de")
        gliner = open_model(f"gliner:{tmp_path}", schema=labels).load().predict([("a", TEXT)])
        assert (
            found(gliner[0]) == [("قاآني", "PERS"), ("قاآني", "PERS")] and gliner[0].entities[0].score == 0.5
        )
        assert asked[0] == ["person", "country"]
        candidate = open_model("camel:arabert", schema=labels)
        assert candidate.schema.entity_labels == ("LOC",)
        assert found(candidate.load().predict([("a", TEXT)])[0]) == [("بغداد", "LOC"), ("بغداد", "LOC")]
