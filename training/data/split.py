"""The fixed split of the authored corpus, by document and stratified by set.

`python -m isnad.training.data.split` prints the YAML of `seeds/split.yaml`; a test compares the two.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

import yaml

DEV_SHARE = 0.15
SEED = "isnad-1"


def split_ids(ids: Iterable[str], *, dev_share: float = DEV_SHARE, seed: str = SEED) -> dict[str, list[str]]:
    """Split document ids into train and dev, the same share of every set.

    The ids of a set are ordered by the SHA-256 of `seed/id` and the first `round(dev_share * n)` go to dev,
    so the split depends on nothing but seed and ids: not on their order, the platform or the version of a
    random generator.

    Args:
        ids: document ids, `<set>-<number>`.
        dev_share: share of dev, between 0 and 1.
        seed: any string; another one gives another split.

    Returns:
        `{"train": [...], "dev": [...]}`, each sorted.
    """
    sets: dict[str, list[str]] = defaultdict(list)
    for id_ in ids:
        sets[set_of(id_)].append(id_)
    dev: set[str] = set()
    for members in sets.values():
        members.sort(key=lambda id_: hashlib.sha256(f"{seed}/{id_}".encode()).digest())
        dev.update(members[: round(dev_share * len(members))])
    train = sorted(id_ for members in sets.values() for id_ in members if id_ not in dev)
    return {"train": train, "dev": sorted(dev)}


def set_of(id_: str) -> str:
    """Return the set of an authored document: its id without the number (`mashriq-012`: `mashriq`)."""
    return id_.rpartition("-")[0]


def split_yaml(ids: Iterable[str]) -> str:
    """Return the text of `seeds/split.yaml` for these ids."""
    head = (
        "# Fixed split of seeds/authored by document, stratified by set (the id without its number).\n"
        "# Made by `python -m isnad.training.data.split > seeds/split.yaml`. The five articles stand in\n"
        "# neither part: they are evaluated leave-one-article-out.\n"
    )
    content = {"seed": SEED, "dev_share": DEV_SHARE} | split_ids(ids)
    return head + yaml.safe_dump(content, sort_keys=False, width=110, default_flow_style=None)


if __name__ == "__main__":
    from .seeds import seeds_folder

    print(split_yaml(p.stem for p in (seeds_folder() / "authored").glob("*.txt")), end="")
