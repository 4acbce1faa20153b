"""Coreference metrics against the numbers of papers, plain readings of their formulas, and another scorer."""

import random
from collections.abc import Callable, Sequence
from itertools import combinations, permutations

import pytest
from isnad.eval.coreference import METRICS, b_cubed, ceaf_e, conll_average, lea, muc, score_clusters

Partition = list[frozenset[str]]


def clusters(*members: str) -> Partition:
    return [frozenset(m) for m in members]


# Table 1 of Luo (2005), after Bagga & Baldwin (1998): three entities of 5, 2 and 5 mentions, and four responses.
TRUTH = clusters("12345", "67", "89ABC")
RESPONSES = {
    "a": clusters("12345", "6789ABC"),
    "b": clusters("1234589ABC", "67"),
    "c": clusters("123456789ABC"),
    "d": clusters(*"123456789ABC"),
}


@pytest.mark.parametrize(
    ("response", "of_muc", "of_b_cubed", "of_ceaf"),
    [
        ("a", 0.947, 0.865, 0.733),
        ("b", 0.947, 0.737, 0.667),
        ("c", 0.900, 0.545, 0.294),
        ("d", 0.0, 0.400, 0.178),
    ],
)
def test_the_table_of_luo(response: str, of_muc: float, of_b_cubed: float, of_ceaf: float):
    found = [metric(TRUTH, RESPONSES[response]).f1 for metric in (muc, b_cubed, ceaf_e)]
    assert found == pytest.approx([of_muc, of_b_cubed, of_ceaf], abs=5e-4)


def test_links_as_vilain_et_al_count_them():
    """A missing link costs recall, a spurious one precision; how the links of a chain are drawn does not matter."""
    whole, halves = clusters("ABCD"), clusters("AB", "CD")
    assert (muc(whole, halves).recall, muc(whole, halves).precision) == (pytest.approx(2 / 3), 1)
    assert (muc(halves, whole).recall, muc(halves, whole).precision) == (1, pytest.approx(2 / 3))
    assert (muc(clusters("ABC"), clusters("AC")).recall, muc(clusters("ABC"), clusters("AC")).precision) == (
        0.5,
        1,
    )
    assert (muc(clusters("ABC"), clusters("AD")).recall, muc(clusters("ABC"), clusters("AD")).precision) == (
        0,
        0,
    )


def test_lea_weighs_entities_by_their_size():
    """Moosavi & Strube (2016), by hand: a found entity of five counts 5 of 12, one of two counts 2 of 12."""
    assert lea(TRUTH, clusters("12345")).recall == pytest.approx(5 / 12)
    assert lea(TRUTH, clusters("67")).recall == pytest.approx(2 / 12)
    # Of the ten links within 12345, "123" has three and "45" one.
    assert lea(clusters("12345"), clusters("123", "45")).recall == pytest.approx(4 / 10)
    assert lea(clusters("12345"), clusters("123", "45")).precision == 1
    # A singleton is found as a singleton only, and merging two entities makes one resolved in part.
    assert lea(clusters("a", "b"), clusters("a", "bc")).recall == pytest.approx(1 / 2)
    assert lea(TRUTH, RESPONSES["a"]).precision == pytest.approx((5 * 1 + 7 * (1 + 10) / 21) / 12)


def by_links(keys: Partition, others: Partition) -> float:
    """Recall of LEA, link by link."""

    def links(cluster: frozenset[str]) -> set[frozenset[str]]:
        return {frozenset(p) for p in combinations(cluster, 2)} if len(cluster) > 1 else {cluster}

    drawn = {link for other in others for link in links(other)}
    found = sum(len(k) * len(links(k) & drawn) / len(links(k)) for k in keys)
    return found / sum(map(len, keys)) if keys else 0.0


def by_parts(keys: Partition, others: Partition) -> float:
    """Recall of MUC: of a key cut into parts by the others, the links that remain."""
    home = {mention: n for n, other in enumerate(others) for mention in other}
    parts = [len({home.get(m, m) for m in k}) for k in keys]
    whole = sum(len(k) - 1 for k in keys)
    return sum(len(k) - p for k, p in zip(keys, parts, strict=True)) / whole if whole else 0.0


def by_mentions(keys: Partition, others: Partition) -> float:
    """Recall of B-cubed, mention by mention."""
    home = {m: o for o in others for m in o}
    each = [len(k & home.get(m, frozenset())) / len(k) for k in keys for m in k]
    return sum(each) / len(each) if each else 0.0


def by_trial(keys: Partition, others: Partition) -> float:
    """Recall of CEAF-e: the best of all alignments, tried one after the other."""
    if not keys or not others:
        return 0.0
    few, many = sorted((keys, others), key=len)
    best = max(
        sum(2 * len(a & b) / (len(a) + len(b)) for a, b in zip(few, chosen, strict=True))
        for chosen in permutations(many, len(few))
    )
    return best / len(keys)


PLAIN: dict[str, Callable[[Partition, Partition], float]] = {
    "muc": by_parts,
    "b_cubed": by_mentions,
    "ceaf_e": by_trial,
    "lea": by_links,
}


def drawn_at_random(rng: random.Random, mentions: Sequence[str], most: int) -> Partition:
    homes: dict[int, set[str]] = {}
    for mention in mentions:
        homes.setdefault(rng.randrange(most), set()).add(mention)
    return [frozenset(c) for c in homes.values()]


def pairs(count: int, most: int) -> list[tuple[Partition, Partition]]:
    """Random clusterings; each side lacks some mentions that the other has."""
    rng = random.Random(7)
    found = []
    for _ in range(count):
        names = [f"m{n}" for n in range(rng.randint(1, 14))]
        sides = ([m for m in names if rng.random() < 0.8] for _ in range(2))
        key, response = (drawn_at_random(rng, side, rng.randint(1, most)) for side in sides)
        found.append((key, response))
    return found


def test_random_clusterings_against_the_formulas():
    seen = 0
    for key, response in pairs(300, 5):
        for name, recall in PLAIN.items():
            counts = METRICS[name](key, response)
            wanted = pytest.approx((recall(key, response), recall(response, key)))
            assert (counts.recall, counts.precision) == wanted, (name, key, response)
            seen += 0 < counts.f1 < 1
    assert seen > 600, "most of them are partly right"


def test_random_clusterings_against_scorch():
    """scorch (MIT), an independent scorer of CoNLL-2012; it has no LEA."""
    scorch = pytest.importorskip("scorch.scores")
    for key, response in pairs(300, 9):
        sets = [set(c) for c in key], [set(c) for c in response]
        found = score_clusters(key, response)
        if not set().union(*key) & set().union(*response):
            # scorch 0.2.0 fails where CEAF is 0 (a division by a zero of numpy).
            assert all(counts.f1 == 0 for counts in found.values())
            continue
        for name in ("muc", "b_cubed", "ceaf_e"):
            recall, precision, f1 = getattr(scorch, name)(*sets)
            counts = found[name]
            if name == "muc" and not (counts.p_whole and counts.r_whole):
                assert f1 == counts.f1 == 0
                continue
            assert (counts.recall, counts.precision, counts.f1) == pytest.approx((recall, precision, f1)), (
                name
            )
        # Where neither side has a link to find, it averages in a 0 for MUC and we leave MUC out.
        if found["muc"].p_whole or found["muc"].r_whole:
            assert conll_average(found).f1 == pytest.approx(scorch.conll2012(*sets))


def scores(counts) -> tuple[float, float]:
    return pytest.approx((counts.precision, counts.recall))


def test_coreference_as_in_pradhan_et_al():
    # The worked example of Pradhan et al. (2014): the key lacks h and i, the response e.
    gold, predicted = clusters("abc", "defg"), clusters("ab", "cd", "fghi")
    assert scores(b_cubed(gold, predicted)) == ((2 + 1 / 2 + 1 / 2 + 1) / 8, (4 / 3 + 1 / 3 + 1 / 4 + 1) / 7)
    assert scores(muc(gold, predicted)) == (2 / 5, 2 / 5)
    assert scores(ceaf_e(gold, predicted)) == ((4 / 5 + 4 / 8) / 3, (4 / 5 + 4 / 8) / 2)
    # LEA by hand: {a,b} is 1 of 3 links, {f,g} 1 of 6; of the response's links {a,b} 1 of 1, {f,g} 1 of 6.
    assert scores(lea(gold, predicted)) == ((2 + 4 / 6) / 8, (3 / 3 + 4 / 6) / 7)


def test_b_cubed_as_in_bagga_and_baldwin():
    gold = clusters("12345", "67", "89ABC")
    one, two = clusters("12345", "6789ABC"), clusters("1234589ABC", "67")
    assert scores(b_cubed(gold, one)) == ((5 + 4 / 7 + 25 / 7) / 12, 1)
    assert scores(b_cubed(gold, two)) == ((5 + 2) / 12, 1)
    assert scores(muc(gold, one)) == (9 / 10, 1)
    assert scores(muc(gold, two)) == (9 / 10, 1)


def test_singletons_count_or_are_left_out_on_both_sides():
    gold, predicted = clusters("ab", "c", "d"), clusters("a", "b", "c", "e")
    with_them, without = score_clusters(gold, predicted), score_clusters(gold, predicted, singletons=False)
    assert scores(with_them["b_cubed"]) == (3 / 4, (1 / 2 + 1 / 2 + 1) / 4)
    assert scores(with_them["muc"]) == (0, 0)
    assert scores(with_them["ceaf_e"]) == ((2 / 3 + 1) / 4, (2 / 3 + 1) / 3)
    assert scores(with_them["lea"]) == (1 / 4, 1 / 4)
    assert all(scores(without[m]) == (0, 0) for m in METRICS)
    assert conll_average(score_clusters(gold[1:], gold[1:])).f1 == 1  # no links, so MUC has nothing to say
    average = conll_average(with_them)
    assert average.f1 == pytest.approx((with_them["b_cubed"].f1 + 0 + with_them["ceaf_e"].f1) / 3)
