"""Misspelt gold keeps its spans, heads move to a new schema by label, silver text is what the model is sure of."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from isnad.model.document import Document
from isnad.model.errors import ConfigError
from isnad.model.folding import fold
from isnad.model.modeling import IsnadModel
from isnad.model.schema import EntityType, LabelSchema, RelationType
from isnad.model.text import make_entity
from isnad.training.data import write_documents
from isnad.training.data.sources import load_corpora
from isnad.training.noise import misspell
from isnad.training.silver import Cut, silver
from isnad.training.transfer import transfer_heads


def test_misspelt_gold_keeps_its_spans(articles: list[Document]) -> None:
    random = np.random.default_rng(3)
    changed = 0
    for document in articles:
        noisy = misspell(document, random, rate=0.3)
        changed += noisy.text != document.text
        assert [(e.id, e.label) for e in noisy.entities] == [(e.id, e.label) for e in document.entities]
        for before, after in zip(document.entities, noisy.entities, strict=True):
            assert noisy.text[after.start : after.end] == after.text
            # Proclitics and the first letter stay, whatever happens to the rest.
            assert after.text[0] == before.text[0]
            assert (after.start == after.word_start) == (before.start == before.word_start)
            assert abs(len(fold(after.text)) - len(fold(before.text))) <= 1 + len(before.text.split()) * 2
    assert changed == len(articles)


def test_noise_joins_names_and_swaps_letters() -> None:
    text = "قال عبد الله للصحيفة"
    document = Document(text, (make_entity(text, 4, 12, "PERS", id="T1"),))
    found = {misspell(document, np.random.default_rng(n), rate=1.0).text for n in range(30)}
    assert any("عبدالله" in t for t in found) and any("للصحيفه" in t for t in found)
    assert misspell(document, np.random.default_rng(1), rate=0.0) is document


def _extended(schema: LabelSchema) -> LabelSchema:
    weapon = EntityType("WEAPON", "Weapon", "سلاح")
    funds = RelationType("funds", ("ORG",), ("ORG",))
    entities = (weapon, *reversed(schema.entities))
    return replace(schema, name="mine", entities=entities, relations=(funds, *schema.relations))


def test_heads_move_to_a_new_schema_by_label(tiny_model: Path, schema: LabelSchema) -> None:
    old = IsnadModel.from_pretrained(tiny_model).eval()
    wider = _extended(schema)
    sizes = {k: getattr(old.config, k) for k in ("word_size", "letter_size", "span_size", "pair_size")}
    sizes |= {k: getattr(old.config, k) for k in ("mention_size", "attention_heads", "max_pieces")}
    new = IsnadModel.from_encoder(old.encoder, wider, **sizes).eval()
    transfer_heads(old, new)
    words, mask = torch.randn(2, 5, old.config.word_size), torch.ones(2, 5, dtype=torch.bool)
    with torch.no_grad():
        before, after = old.span_head(words, mask), new.span_head(words, mask)
    rows = [wider.entity_index[label] for label in schema.entity_labels]
    torch.testing.assert_close(after[..., rows], before)
    assert not torch.equal(after[..., wider.entity_index["WEAPON"]], before[..., 0])
    rows = [wider.relation_index[label] for label in schema.relation_labels]
    torch.testing.assert_close(new.relation_head.output.weight[rows], old.relation_head.output.weight)


class _Surely:
    """Annotates a text by a table."""

    def __init__(self, table: dict[str, list[tuple[str, float]]]) -> None:
        self._table = table

    def pipe(self, texts: Iterable[tuple[str, str]], **_: Any) -> Iterator[Document]:
        for id_, text in texts:
            found = self._table.get(text, [])
            entities = [
                make_entity(
                    text, text.index(name), text.index(name) + len(name), "PERS", id=f"T{n}", score=score
                )
                for n, (name, score) in enumerate(found)
            ]
            yield Document(text, tuple(entities), id=id_)


def test_silver_keeps_what_is_sure_and_corpora_read_it(tmp_path: Path, schema: LabelSchema) -> None:
    sure = "التقى قاآني وفدا من الفصائل في بغداد أمس"
    doubtful = "التقى النائب وفدا من أهالي القرية في بيروت أمس"
    empty = "كان الطقس باردا في ذلك اليوم من الشتاء"
    table = {sure: [("قاآني", 0.95), ("وفدا", 0.1)], doubtful: [("النائب", 0.5)]}
    texts = [sure, doubtful, empty, "قصير"]
    kept = list(silver(_Surely(table), iter(texts), limit=9, cut=Cut(empty=0.0)))  # type: ignore[arg-type]
    assert [d.text for d in kept] == [sure]
    assert [(e.text, e.score) for e in kept[0].entities] == [("قاآني", 1.0)]
    assert len(list(silver(_Surely(table), iter(texts), limit=9, cut=Cut(empty=1.0)))) == 2  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="low < high"):
        Cut(low=0.9, high=0.8)
    path = tmp_path / "silver.jsonl"
    write_documents(kept, path, format="jsonl", schema=schema)
    [source] = load_corpora({str(path): 0.5}, schema, [])
    assert source.weight == 0.5 and source.annotation is not None and not source.annotation.relations
    assert source.annotation.annotates == set(schema.entity_labels) and source.documents[0].text == sure
