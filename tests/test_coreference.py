"""Which names may be one thing, what their spelling says, and that grouping them yields groups."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.backends.torch_backend import TorchBackend
from isnad.model.coreference import (
    _MAX_ANTECEDENTS,
    FEATURES,
    Mention,
    candidate_pairs,
    cluster,
    name_words,
    pair_features,
)
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.windows import WindowMaker
from isnad.training.coreference_fit import fit_coreference, mention_pairs
from isnad.training.data import read_documents
from transformers import AutoTokenizer

pytestmark = pytest.mark.usefixtures("one_thread")


def mentions(*names: str, label: str = "PERS", paragraphs: list[int] | None = None) -> list[Mention]:
    """Mentions far from each other, each in a paragraph of its own."""
    places = paragraphs or list(range(len(names)))
    return [Mention(name, label, 100 * i, 100 * i + len(name), places[i], i) for i, name in enumerate(names)]


def features(first: str, second: str, label: str = "PERS") -> dict[str, float]:
    return dict(zip(FEATURES, pair_features(*mentions(first, second, label=label)), strict=True))


@pytest.mark.parametrize(
    ("first", "second", "true", "false"),
    [
        ("إسماعيل قاآني", "قاآني", "suffix inside second_shorter", "same prefix same_joined both_multiword"),
        ("قاآني", "إسماعيل قاآني", "suffix inside", "second_shorter same"),
        (
            "اسماعيل قاآنى",
            "إسماعيل قاآني",
            "same same_joined both_multiword",
            "first_differs last_differs suffix",
        ),
        ("حسن نصر الله", "نصر الله", "suffix inside both_multiword first_differs", "last_differs same"),
        ("نصرالله", "نصر الله", "same_joined", "same suffix prefix"),
        ("حسن نصرالله", "حسن نصر الله", "same_joined", "same first_differs"),
        ("عبدالكريم قاسم", "عبد الكريم قاسم", "same_joined", "same last_differs"),
        ("الحشد الشعبي", "الحشد", "prefix inside second_shorter", "suffix same"),
        ("العراق", "عراق", "same same_joined", "suffix"),
        ("أبو مهدي المهندس", "أبي مهدي المهندس", "same", ""),
        ("فيلـق القُـدس", "فيلق القدس", "same", ""),
        ("وزارة الصحه", "وزارة الصحة", "same", ""),
        (
            "محمد علي",
            "محمد حسن",
            "both_multiword last_differs",
            "same same_joined suffix prefix inside first_differs",
        ),
        ("علي الحسن", "حسن علي", "both_multiword first_differs last_differs inside", "same same_joined"),
        ("محمد", "أحمد", "", "same same_joined suffix prefix inside"),
        ("حزب الله", "حزب العمال", "both_multiword last_differs", "same same_joined suffix prefix inside"),
    ],
)
def test_spelling_features(first: str, second: str, true: str, false: str) -> None:
    found = features(first, second)
    assert {n: found[n] for n in true.split()} == dict.fromkeys(true.split(), 1.0)
    assert {n: found[n] for n in false.split()} == dict.fromkeys(false.split(), 0.0)


def test_features_of_place_and_order() -> None:
    a, b = mentions("قاآني", "قاآني", paragraphs=[3, 3])
    found = dict(zip(FEATURES, pair_features(a, b), strict=True))
    assert found["same_paragraph"] == found["same_label"] == found["person"] == 1.0
    assert found["near"] == 0.5 and found["apposed"] == 0.0
    near = Mention("الحاج", "ORG", a.end + 3, a.end + 8, 4, 9)
    found = dict(zip(FEATURES, pair_features(a, near), strict=True))
    assert found["apposed"] == 1.0 and found["same_label"] == 0.0 and found["near"] == 0.1
    assert features("بغداد", "بغداد", "GPE")["person"] == 0.0


@given(st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=150, deadline=None)
def test_features_are_shares(first: str, second: str) -> None:
    found = pair_features(*mentions(first, second))
    assert len(found) == len(FEATURES) and all(0.0 <= f <= 1.0 for f in found)
    assert features(first, first)["same"] == 1.0
    assert all(word and not word.isspace() for word in name_words(first))


def test_candidates_share_a_word_a_spelling_or_a_paragraph() -> None:
    def linked(first: str, second: str, **kwargs: list[int]) -> bool:
        return candidate_pairs(mentions(first, second, **kwargs)) == [(0, 1)]

    assert linked("إسماعيل قاآني", "قاآني")
    assert linked("نصرالله", "نصر الله")
    assert linked("حسن نصر الله", "حسن نصرالله")
    assert linked("عبدالكريم", "عبد الكريم")
    assert linked("قاآني", "قاآنى")
    assert not linked("قاآني", "سليماني")
    assert linked("كارلوس", "ابن آوى", paragraphs=[2, 2])  # an alias that is introduced
    assert candidate_pairs([*mentions("بغداد"), Mention("بغداد", "ORG", 9, 14, 0, 1)]) == []


def test_candidates_are_bounded() -> None:
    many = mentions(*[f"محمد {'بتثجحخدذرز'[i % 10]}{'سشصضطظعغفق'[i // 10 % 10]}ن{i}" for i in range(1000)])
    many += [Mention("محمد علي", "PERS", 200_000 + i, 200_001 + i, 5, 1000 + i) for i in range(1000)]
    pairs = candidate_pairs(many)
    seen = np.bincount([j for _, j in pairs], minlength=2000)
    assert seen.max() == _MAX_ANTECEDENTS and len(set(pairs)) == len(pairs)
    assert all(0 <= i < j for i, j in pairs)
    # Of an earlier spelling only the nearest mention is compared, and that one always is.
    assert {(j - 1, j) for j in range(1001, 2000)} <= set(pairs)
    assert not [1 for i, j in pairs if i >= 1000 and i != j - 1]


def by_features(items: list[Mention]):  # type: ignore[no-untyped-def]
    def score(pairs: list[tuple[int, int]]) -> np.ndarray:
        found = [dict(zip(FEATURES, pair_features(items[i], items[j]), strict=True)) for i, j in pairs]
        likely = [f["same"] or f["same_joined"] or (f["suffix"] and f["same_label"]) for f in found]
        return np.asarray([0.9 if yes else 0.1 for yes in likely], dtype=np.float32)

    return score


def test_groups_are_transitive_and_kept_apart() -> None:
    items = mentions("إسماعيل قاآني", "حسن نصر الله", "قاآني", "نصرالله", "نصر الله", "قاسم سليماني", "قاآني")
    assert cluster(items, by_features(items), threshold=0.5) == [[0, 2, 6], [1, 3, 4], [5]]
    # One link between two groups does not join them if the others speak against it.
    two = mentions("علي حسن", "حسن", "علي الحسن", "محمد حسن")
    groups = cluster(two, by_features(two), threshold=0.5)
    assert [0, 1, 2] in groups and [3] in groups
    assert cluster([], by_features([]), threshold=0.5) == []


@given(
    st.lists(st.sampled_from(["محمد علي", "علي", "محمد", "نصر الله", "نصرالله", "بغداد"]), max_size=60),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_groups_are_a_partition(names: list[str], data: st.DataObject) -> None:
    items = mentions(*names)
    seed = data.draw(st.integers(0, 1000))
    groups = cluster(
        items, lambda pairs: np.random.default_rng(seed).random(len(pairs)).astype(np.float32), threshold=0.4
    )
    assert sorted(i for g in groups for i in g) == list(range(len(items)))
    assert groups == sorted(sorted(g) for g in groups)
    alone = cluster(items, lambda pairs: np.full(len(pairs), 0.39, dtype=np.float32), threshold=0.4)
    assert alone == [[i] for i in range(len(items))]


def test_the_head_learns_names(tiny_model: Path, schema: LabelSchema, root: Path) -> None:
    files = sorted((root / "seeds/authored").glob("*.txt"))[::9]
    gold = [d for f in files for d in read_documents(f, schema=schema)]
    model = IsnadModel.from_pretrained(tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, local_files_only=True)
    maker = WindowMaker(tokenizer, max_pieces=96, overlap_pieces=16)
    pairs = mention_pairs(model, maker, schema, gold, tokenizer.pad_token_id)
    assert pairs is not None and len(pairs.features) == len(pairs.same) == len(pairs.first) == len(
        pairs.second
    )
    # The vectors of a random encoder mean nothing: what is learned here is spelling.
    pairs = replace(pairs, first=torch.zeros_like(pairs.first), second=torch.zeros_like(pairs.second))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    loss = fit_coreference(model, pairs, steps=400)
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert loss < 0.2 and changed and all(k.startswith("coreference_head.") for k in changed)
    again = IsnadModel.from_pretrained(tiny_model)
    torch.manual_seed(99)
    assert fit_coreference(again, pairs, steps=400) == loss  # its own generator alone decides
    backend = TorchBackend(model, tokenizer.pad_token_id)
    zeros = np.zeros((1, model.config.mention_size), dtype=np.float32)

    def probability(first: str, second: str) -> float:
        row = np.asarray([pair_features(*mentions(first, second))], dtype=np.float32)
        return float(backend.coreference(row, zeros, zeros)[0])

    for same in (("إسماعيل قاآني", "قاآني"), ("نصر الله", "نصرالله"), ("حسن نصر الله", "نصر الله")):
        assert probability(*same) > 0.5, same
    for other in (("إسماعيل قاآني", "قاسم سليماني"), ("محمد علي", "محمد حسن"), ("بغداد", "دمشق")):
        assert probability(*other) < 0.5, other
