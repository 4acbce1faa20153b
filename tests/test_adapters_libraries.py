"""Adapters of libraries that are not installed here: fakes that take and give what the libraries do.

Signatures and return values are written after the public sources of the libraries: `GLiNER.predict_entities`, stanza's
`Pipeline`, `Document.entities` and `NERProcessor.get_known_tags`, and `NERecognizer` of camel-tools.
"""

import re
import sys
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from isnad.eval.benchmark import libraries
from isnad.eval.benchmark.adapters import open_model
from isnad.eval.benchmark.libraries import LONGEST, stretches
from isnad.model.document import Document
from isnad.model.errors import ModelError
from isnad.model.schema import EntityType, LabelSchema
from isnad.model.text import words

LABELS = LabelSchema("two", (EntityType("PERS", en="person"), EntityType("GPE", en="country, city")))
TEXT = "زار إسماعيل قاآني لُبْنانَ 🚀 وبغداد.\n\nثمّ عاد إلى طهران مع قاآني."


def found(document: Document) -> list[tuple[str, str]]:
    assert all(document.text[e.start : e.end] == e.text for e in document.entities)
    return [(e.text, e.label) for e in document.entities]


def tokens(text: str) -> list[re.Match[str]]:
    return list(re.finditer(r"\w+(?:[-_]\w+)*|\S", text))


class GLiNER:
    """Finds names in its own tokens and reads no more than `max_len` of them."""

    names: ClassVar = {"قاآني": "person", "نان": "country", "طهران": "country"}
    read: ClassVar[list[int]] = []

    def __init__(self, max_len: int) -> None:
        self.config = SimpleNamespace(max_len=max_len)

    @classmethod
    def from_pretrained(cls, model_id: str, *, local_files_only: bool = False, **kwargs: Any) -> "GLiNER":
        assert local_files_only and not kwargs
        return cls(60)

    def predict_entities(
        self,
        text: str,
        labels: list[str],
        flat_ner: bool = True,
        threshold: float = 0.5,
        multi_label: bool = False,
        return_class_probs: bool = False,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        assert labels == ["person", "country"] and not flat_ner and not kwargs
        self.read.append(len(tokens(text)))
        spans = [t for t in tokens(text)[: self.config.max_len] if t.group() in self.names]
        return [
            {
                "start": t.start(),
                "end": t.end(),
                "text": t.group(),
                "label": self.names[t.group()],
                "score": 0.75,
            }
            for t in spans
        ]


class NERProcessor:
    def __init__(self, *models: list[str]) -> None:
        self.trainers = models

    def get_known_tags(self, model_idx: int = 0) -> list[str]:
        return sorted(self.trainers[model_idx])


class Pipeline:
    """Annotates as stanza does: spans with the offsets of the text that it was given."""

    made: ClassVar[list[dict[str, Any]]] = []

    def __init__(
        self,
        lang: str = "en",
        *,
        processors: str,
        download_method: Any = "default",
        verbose: bool | None = None,
        **kwargs: Any,
    ) -> None:
        if lang != "ar":
            raise FileNotFoundError(f"Resources file not found for {lang}.\nTry to download the model again.")
        assert (processors, verbose, kwargs) == ("tokenize,ner", False, {})
        self.made.append({"download_method": download_method})
        self.processors = {"ner": NERProcessor(["LOC", "ORG", "PER"], ["MIS-X", "PER"])}

    def __call__(self, doc: str) -> SimpleNamespace:
        spans = [(m, "PER") for m in re.finditer("إسماعيل قاآني", doc)]
        spans += [(m, "LOC") for m in re.finditer("وبغداد|طهران", doc)]
        entities = [
            SimpleNamespace(text=m.group(), type=t, start_char=m.start(), end_char=m.end(), tokens=[])
            for m, t in spans
        ]
        return SimpleNamespace(text=doc, entities=entities, ents=entities)


class NERecognizer:
    """Tags words as camel-tools does: those of which BERT's tokenizer makes nothing get no tag."""

    def __init__(self) -> None:
        self.tokenizer = SimpleNamespace(tokenize=lambda word: [] if word == "🚀" else [word])

    @staticmethod
    def pretrained(model_name: str | None = None, use_gpu: bool = True) -> "NERecognizer":
        if model_name not in (None, "arabert"):
            raise ValueError(f"Undefined dataset {model_name!r}")
        return NERecognizer()

    @staticmethod
    def labels() -> list[str]:
        return ["B-LOC", "B-ORG", "B-PERS", "B-MISC", "I-LOC", "I-ORG", "I-PERS", "I-MISC", "O"]

    def predict_sentence(self, sentence: list[str]) -> list[str]:
        tags = {"إسماعيل": "B-PERS", "قاآني": "I-PERS", "وبغداد": "B-LOC"}
        return [tags.get(w, "O") for w in sentence if self.tokenizer.tokenize(w)]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the fakes where the libraries would be."""
    stanza = SimpleNamespace(Pipeline=Pipeline, DownloadMethod=Enum("DownloadMethod", "NONE REUSE_RESOURCES"))
    camel = ModuleType("camel_tools.ner")
    camel.NERecognizer = NERecognizer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gliner", SimpleNamespace(GLiNER=GLiNER))
    monkeypatch.setitem(sys.modules, "stanza", stanza)
    monkeypatch.setitem(sys.modules, "camel_tools", ModuleType("camel_tools"))
    monkeypatch.setitem(sys.modules, "camel_tools.ner", camel)
    monkeypatch.setattr(libraries, "find_spec", lambda name: name)
    monkeypatch.setattr(libraries, "version", lambda name: "1.0")
    monkeypatch.setattr(libraries, "code_hash", lambda *patterns, libraries: "c0de")


@pytest.mark.usefixtures("installed")
class TestLibraries:
    def test_gliner(self, tmp_path: Path):
        candidate = open_model(f"gliner:{tmp_path}", schema=LABELS)
        assert (candidate.kind, candidate.schema.entity_labels) == ("gliner", ("PERS", "GPE"))
        (document,) = candidate.load().predict([("a", TEXT)])
        # The end is moved over the mark that GLiNER takes for a token of its own.
        assert found(document) == [("قاآني", "PERS"), ("نانَ", "GPE"), ("طهران", "GPE"), ("قاآني", "PERS")]
        assert document.id == "a" and {e.score for e in document.entities} == {0.75}

    def test_gliner_reads_all_of_a_vocalised_text(self, tmp_path: Path):
        text = "كَتَبَ مُحَمَّدٌ إِلَى قاآني وَذَهَبَ " * 40 + "طهران"
        GLiNER.read.clear()
        (document,) = open_model(f"gliner:{tmp_path}", schema=LABELS).load().predict([("a", text)])
        assert len(tokens(text)) > 10 * 60 >= 60 >= max(GLiNER.read)
        assert len(document.entities) == 41

    def test_stanza(self):
        candidate = open_model("stanza:ar", schema=LABELS)
        # Of both models, as they are: a tag may itself hold a hyphen.
        assert (
            candidate.schema.entity_labels == ("LOC", "MIS-X", "ORG", "PER") and candidate.name == "stanza-ar"
        )
        assert Pipeline.made[-1]["download_method"] is None
        (document,) = candidate.load().predict([("a", TEXT)])
        assert found(document) == [("إسماعيل قاآني", "PER"), ("وبغداد", "LOC"), ("طهران", "LOC")]
        open_model("stanza:ar", schema=LABELS, download=True)
        assert Pipeline.made[-1]["download_method"].name == "REUSE_RESOURCES"
        with pytest.raises(
            ModelError, match=r"stanza:fa cannot be loaded \(Resources file not found.*--download"
        ):
            open_model("stanza:fa", schema=LABELS)

    def test_camel(self):
        candidate = open_model("camel:", schema=LABELS)
        assert candidate.schema.entity_labels == ("LOC", "MISC", "ORG", "PERS")
        (document,) = candidate.load().predict([("a", TEXT)])
        # The emoji, which gets no tag, does not shift the tags after it.
        assert found(document) == [("إسماعيل قاآني", "PERS"), ("وبغداد", "LOC"), ("قاآني", "PERS")]
        with pytest.raises(ModelError, match="camel_data -i ner-bert"):
            open_model("camel:bert", schema=LABELS)

    def test_camel_that_loses_words_for_no_reason(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(NERecognizer, "predict_sentence", lambda self, sentence: [])
        with pytest.raises(ModelError, match="0 tags for"):
            open_model("camel:", schema=LABELS).load().predict([("a", TEXT)])


def test_stretches_by_size():
    text = "وصل الوفد. " * 30
    assert [w for s in stretches(text, 7) for w in s] == words(text)
    assert {len(s) for s in stretches(text, 7)} == {6}, "two sentences of three words, full stops included"
    assert {len(s) for s in stretches(text, LONGEST, lambda w: LONGEST / 2)} == {1, 2}
    # A word that is too long by itself is a stretch.
    assert [len(s) for s in stretches("وصل الوفد", 1, lambda w: 5)] == [1, 1]
    assert list(stretches("", 7)) == list(stretches("\n \n", 7)) == []
