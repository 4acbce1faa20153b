"""Schema files that build on another schema: `extends`, with labels added, renamed, merged, split and removed.

    name: arms
    extends: wojood            # a file beside this one, a name of configs/schemas, or a model
    removed: [LANGUAGE]        # labels that go
    entities:
      - name: WEAPON           # a new label
      - name: COMPANY          # ORG under another name, with its description and its places in signatures
        from: ORG
      - name: PLACE            # two labels become one
        from: [LOC, FAC]
      - name: LAND             # one label becomes two: both are `from` it
        from: GPE
      - name: TOWN
        from: GPE
      - name: PRODUCT          # listed: it stays, although VEHICLE comes from it
      - name: VEHICLE
        from: PRODUCT
    relations:
      - name: located_in       # listed with other keys: these keys change, the rest is kept
        head: [COMPANY, PLACE, WEAPON]

A file without `extends` may say `from` and `removed` too; it then lists all labels itself.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import SchemaError, nearest

if TYPE_CHECKING:
    from .schema import LabelSchema

_ROOT = Path(__file__).resolve().parents[1]
_SCHEMAS, _MODELS = _ROOT / "configs" / "schemas", _ROOT / "model" / "pretrained"
_KINDS = ("entities", "relations")


def names(value: Any, key: str, where: str) -> tuple[str, ...]:
    """Return a label or a list of labels as a tuple; anything else raises SchemaError."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not all(isinstance(v, str) for v in listed):
        raise SchemaError(f"{where}: {key!r} holds {value!r}; accepted: a label or a list of labels")
    return tuple(dict.fromkeys(listed))


def expand(data: Any, path: Path, seen: tuple[Path, ...] = ()) -> Any:
    """Return the content of a schema file with the schema that it `extends` put in.

    Args:
        data: what the YAML file holds.
        path: the file.
        seen: files that led here, to find circles.

    Raises:
        SchemaError: the other schema is not found, the files extend each other, or `removed` and `from` name
            labels that it does not have.
    """
    if not isinstance(data, Mapping) or "extends" not in data:
        return data
    where = str(path)
    base = _find(data["extends"], path, (*seen, path.resolve()))
    own = {kind: _own(data, kind, where) for kind in _KINDS}
    removed = names(data.get("removed") or [], "removed", where)
    known = (*base.entity_labels, *base.relation_labels)
    for label in removed:
        if label not in known:
            raise SchemaError(
                f"{where}: 'removed' names the unknown label {label!r}; {nearest(label, known)}"
            )
    plain = base.to_dict()
    parts = {kind: _Part(plain[kind], own[kind], removed, where) for kind in _KINDS}
    entities = parts["entities"].merged()
    relations = parts["relations"].merged()
    for item in relations:
        given = own["relations"].get(item["name"], {})
        for side in {"head", "tail"} & (item.keys() - given.keys()):
            item[side] = parts["entities"].renamed(item[side])
    rest = {key: value for key, value in data.items() if key not in ("extends", *_KINDS)}
    return {"version": plain["version"], **rest, "entities": entities, "relations": relations}


class _Part:
    """The entity types or the relations of a schema, and what a file that extends it says of them."""

    def __init__(
        self,
        base: Sequence[Mapping[str, Any]],
        own: Mapping[str, Mapping[str, Any]],
        removed: Sequence[str],
        where: str,
    ) -> None:
        self._base = {str(item["name"]): dict(item) for item in base}
        self._own, self._removed = own, removed
        self._sources = {
            name: names(item["from"], "from", where) for name, item in own.items() if "from" in item
        }
        for name, sources in list(self._sources.items()):
            if name in self._base and name not in sources:
                self._sources[name] = (name, *sources)  # what is there already stays what it is
            for source in sources:
                if source not in self._base:
                    raise SchemaError(
                        f"{where}: {name!r} comes 'from' the unknown label {source!r}; {nearest(source, self._base)}"
                    )

    def merged(self) -> list[dict[str, Any]]:
        """Return the items: those of the base in their places, new ones after them."""
        placed: dict[str, dict[str, Any]] = {}
        for name, item in self._base.items():
            for heir in self._heirs(name):
                if heir not in placed:
                    placed[heir] = self._inherited(heir) | dict(self._own.get(heir, {})) | {"name": heir}
            if name in self._own and name not in self._sources and name not in placed:
                placed[name] = item | dict(self._own[name])
        rest = {name: dict(item) for name, item in self._own.items() if name not in placed}
        return list((placed | rest).values())

    def renamed(self, labels: Sequence[str]) -> list[str]:
        """Return a signature in the new labels."""
        return list(dict.fromkeys(heir for label in labels for heir in self._heirs(label)))

    def _heirs(self, label: str) -> list[str]:
        """Return the labels that a label of the base becomes: itself, others that come from it, or none."""
        heirs = [name for name, sources in self._sources.items() if label in sources]
        stays = label not in self._removed and (not heirs or label in self._own)
        if stays and label not in self._sources:
            heirs.insert(0, label)
        return heirs

    def _inherited(self, name: str) -> dict[str, Any]:
        sources = [self._base[s] for s in self._sources.get(name, (name,)) if s in self._base]
        found: dict[str, Any] = {}
        for side in ("head", "tail"):
            if any(side in item for item in sources):
                found[side] = list(dict.fromkeys(label for item in sources for label in item[side]))
        for flag, how in (("corefers", any), ("symmetric", all)):
            if any(flag in item for item in sources):
                found[flag] = how(item[flag] for item in sources)
        # A description says what one label is: it goes with a label that is renamed, not with parts or unions.
        if len(sources) == 1 and len(self._heirs(str(sources[0]["name"]))) == 1:
            found |= {key: sources[0][key] for key in ("en", "ar")}
        elif name in self._base:
            found |= {key: self._base[name][key] for key in ("en", "ar")}
        return found


def _own(data: Mapping[str, Any], kind: str, where: str) -> dict[str, Mapping[str, Any]]:
    items = data.get(kind) or []
    if not isinstance(items, list) or not all(isinstance(i, Mapping) and "name" in i for i in items):
        raise SchemaError(f"{where}: {kind!r} holds {items!r}; accepted: a list of mappings with 'name'")
    found = {str(item["name"]): item for item in items}
    if len(found) < len(items):
        twice = next(n for n in found if sum(str(i["name"]) == n for i in items) > 1)
        raise SchemaError(f"{where}: {twice!r} is listed twice under {kind!r}; accepted: once")
    return found


def _find(name: Any, path: Path, seen: tuple[Path, ...]) -> "LabelSchema":
    from .schema import LabelSchema

    for place in (path.parent / str(name), Path(str(name)), _SCHEMAS / f"{name}.yaml"):
        if place.is_file():
            if place.resolve() in seen:
                circle = " → ".join(p.name for p in (*seen, place))
                raise SchemaError(f"{path}: schemas that extend each other: {circle}; accepted: no circle")
            return LabelSchema.from_yaml(place, _seen=seen)
    for place in (path.parent / str(name), Path(str(name)), _MODELS / str(name)):
        config = place / "config.json"
        if config.is_file():
            try:
                labels = json.loads(config.read_text(encoding="utf-8"))["labels"]
            except (ValueError, KeyError, TypeError) as error:
                raise SchemaError(f"{config}: holds no label schema; accepted: a model of isnad") from error
            return LabelSchema.from_dict(labels, source=str(config))
    known = sorted(
        {p.stem for p in _SCHEMAS.glob("*.yaml")} | {p.parent.name for p in _MODELS.glob("*/config.json")}
    )
    raise SchemaError(
        f"{path}: 'extends' names {name!r}, which is not there; accepted: a schema file, a model folder, or a name: "
        f"{nearest(name, known)}"
    )
