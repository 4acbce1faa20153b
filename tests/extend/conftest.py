"""A schema with new and renamed labels, sentences annotated with the new ones, and the settings of an extension."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.data import write_documents

SCHEMA = """
name: arms
extends: wojood
entities:
  - {name: WEAPON, en: Weapon or ammunition, ar: سلاح أو ذخيرة}
  - {name: SANCTION, en: Punitive measure against a state or person, ar: عقوبة على دولة أو شخص}
  - {name: COMPANY, from: ORG}
relations:
  - {name: armed_with, head: [PERS, COMPANY], tail: [WEAPON], en: Has the weapon, ar: يملك السلاح}
"""
WEAPONS = ("صواريخ كروز", "بنادق كلاشينكوف", "مُسيّرة انتحارية", "قنابل عنقودية", "دبّابات T-72", "صاروخ سكود")
SANCTIONS = ("حظر سفر", "تجميد أصول", "عقوبات اقتصادية")
FRAMES = (
    "نشر الجيش {w} قرب الحدود يوم {n} آذار.",
    "قال قاآني إن {w} وصلت إلى بغداد أمس 🚀.",
    "فرضت واشنطن {s} على نصرالله بعد استخدام {w}.",
    "عثر الأهالي على {w} في قرية جنوبي البلدة، وعددها {n}.",
)


@pytest.fixture(scope="session")
def sentences() -> Callable[[int], list[Document]]:
    """Makes a number of sentences with every WEAPON and SANCTION marked and nothing else."""

    def make(number: int) -> list[Document]:
        draw = random.Random(5)
        documents = []
        for n in range(number):
            weapon, sanction = draw.choice(WEAPONS), draw.choice(SANCTIONS)
            text = FRAMES[n % len(FRAMES)].format(w=weapon, s=sanction, n="٣" * (1 + n % 3)) + f" خبر {n}"
            spans = [(text.index(weapon), weapon, "WEAPON")]
            if sanction in text:
                spans.append((text.index(sanction), sanction, "SANCTION"))
            entities = tuple(
                make_entity(text, at, at + len(name), label, id=f"T{i}")
                for i, (at, name, label) in enumerate(sorted(spans), 1)
            )
            documents.append(Document(text, entities, id=f"s{n}"))
        return documents

    return make


def _short(document: Document, limit: int = 500) -> Document:
    end = document.text.index("\n", limit)
    entities = tuple(replace(e, cluster=None) for e in document.entities if e.end <= end)
    ids = {e.id for e in entities}
    relations = tuple(r for r in document.relations if {r.head, r.tail} <= ids)
    return Document(document.text[:end], entities, relations, id=document.id)


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    articles: list[Document],
    schema: LabelSchema,
    sentences: Callable[[int], list[Document]],
) -> Path:
    """Schema, new data of 24 sentences, and two short sets of old data."""
    place = tmp_path_factory.mktemp("extend")
    (place / "arms.yaml").write_text(SCHEMA, encoding="utf-8")
    new = LabelSchema.from_yaml(place / "arms.yaml")
    write_documents(sentences(24), place / "new.jsonl", format="jsonl", schema=new)
    for name, article in (("rehearse", articles[0]), ("measure", articles[1])):
        write_documents([_short(article)], place / f"{name}.jsonl", format="jsonl", schema=schema)
    return place


@pytest.fixture(scope="module")
def arms(folder: Path) -> LabelSchema:
    """The schema that the models are extended to."""
    return LabelSchema.from_yaml(folder / "arms.yaml")


@pytest.fixture(scope="module")
def recipe(folder: Path) -> Callable[..., dict[str, Any]]:
    """Makes the settings of an extension of one epoch: `recipe(base, extend={"rehearsal": 0.2})`."""

    def make(base: Path, **more: Any) -> dict[str, Any]:
        extend = {"rehearse": [str(folder / "rehearse.jsonl")], "measure": [str(folder / "measure.jsonl")]}
        return {
            "encoder": {"path": str(base)},
            "data": {"train": [str(folder / "new.jsonl")], "schema": str(folder / "arms.yaml")},
            "extend": extend | more.pop("extend", {}),
            "tracker": "none",
            "epochs": 1,
        } | more

    return make
