"""LabelSchema: the only place where entity and relation labels live."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import SchemaError, nearest
from .schema_file import expand, names

_NAME = re.compile(r"[^\s\[\]|#;]+")


@dataclass(frozen=True, slots=True)
class EntityType:
    """One entity label.

    Attributes:
        name: the label, as written in annotation files.
        en, ar: descriptions in English and Arabic.
        corefers: mentions of this type can name the same thing and are clustered.
    """

    name: str
    en: str = ""
    ar: str = ""
    corefers: bool = False


@dataclass(frozen=True, slots=True)
class RelationType:
    """One relation label with its signature.

    Attributes:
        name: the label, as written in annotation files.
        head, tail: names of the entity types that may stand at either end.
        symmetric: `A r B` means the same as `B r A`; it is written once, the earlier mention first.
        en, ar: descriptions in English and Arabic.
    """

    name: str
    head: tuple[str, ...]
    tail: tuple[str, ...]
    symmetric: bool = False
    en: str = ""
    ar: str = ""


@dataclass(frozen=True)
class LabelSchema:
    """A validated set of entity and relation types; immutable, comparable, hashable by content.

    Attributes:
        name: name of the schema.
        version: its version, any string.
        entities, relations: the types in the order of the model's output rows.
        origins: labels of an earlier schema that a label takes the place of (`from` in a schema file): one if it
            is renamed or split off, several if they are merged. Read by training only; not part of the content.
        removed: labels of an earlier schema that were given up; likewise.
    """

    name: str
    entities: tuple[EntityType, ...]
    relations: tuple[RelationType, ...] = ()
    version: str = "1"
    _source: str = field(default="", compare=False, repr=False)
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    removed: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        self._refuse_duplicates("entity type", self.entity_labels)
        self._refuse_duplicates("relation type", self.relation_labels)
        for label in (*self.entity_labels, *self.relation_labels):
            # A blank or one of the inline format's own signs would make annotation files unreadable.
            if not _NAME.fullmatch(label):
                raise SchemaError(
                    f"{self._where}the name {label!r}; accepted: no blanks and none of [ ] | # ;"
                )
            if label in self.removed:
                raise SchemaError(
                    f"{self._where}{label!r} is defined and 'removed'; accepted: one of the two"
                )
        for label in self.relation_labels:
            if label in self.entity_labels:
                raise SchemaError(
                    f"{self._where}{label!r} names an entity type and a relation; accepted: one of them"
                )
        if not self.entities:
            raise SchemaError(f"{self._where}no entity types; accepted: at least one under 'entities'")
        for relation in self.relations:
            for side in ("head", "tail"):
                labels = getattr(relation, side)
                if not labels:
                    raise SchemaError(f"{self._where}relation {relation.name!r} has no {side} types")
                for label in labels:
                    if label not in self.entity_labels:
                        raise SchemaError(
                            f"{self._where}the {side} signature of relation {relation.name!r} names the unknown "
                            f"entity type {label!r}; {nearest(label, self.entity_labels)}"
                        )
            if relation.symmetric and set(relation.head) != set(relation.tail):
                raise SchemaError(
                    f"{self._where}relation {relation.name!r} is symmetric but its head and tail types differ; "
                    "write the same types at both ends or drop 'symmetric'"
                )

    @cached_property
    def entity_labels(self) -> tuple[str, ...]:
        """Names of the entity types, in order."""
        return tuple(e.name for e in self.entities)

    @cached_property
    def relation_labels(self) -> tuple[str, ...]:
        """Names of the relation types, in order."""
        return tuple(r.name for r in self.relations)

    @cached_property
    def entity_index(self) -> dict[str, int]:
        """Map of entity label to its row."""
        return {label: i for i, label in enumerate(self.entity_labels)}

    @cached_property
    def relation_index(self) -> dict[str, int]:
        """Map of relation label to its row."""
        return {label: i for i, label in enumerate(self.relation_labels)}

    @cached_property
    def coreferent_labels(self) -> frozenset[str]:
        """Entity labels whose mentions are clustered."""
        return frozenset(e.name for e in self.entities if e.corefers)

    @cached_property
    def hash(self) -> str:
        """First 12 hex digits of the SHA-256 of the canonical content."""
        content = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode("utf-8")).hexdigest()[:12]

    def relation(self, label: str) -> RelationType:
        """Return the relation type named `label`, or raise SchemaError with the known ones."""
        if label not in self.relation_index:
            raise SchemaError(f"unknown relation {label!r}; {nearest(label, self.relation_labels)}")
        return self.relations[self.relation_index[label]]

    def check_entity(self, label: str) -> str:
        """Return `label` if it is an entity type of this schema, else raise SchemaError."""
        if label not in self.entity_index:
            raise SchemaError(f"unknown entity type {label!r}; {nearest(label, self.entity_labels)}")
        return label

    def allows(self, head: str, relation: str, tail: str) -> bool:
        """Whether the signature of `relation` admits these entity types."""
        type_ = self.relation(relation)
        return head in type_.head and tail in type_.tail

    def signature_mask(self) -> list[list[list[bool]]]:
        """Return mask[relation][head type][tail type], True where the signature admits the pair."""
        return [
            [[h in r.head and t in r.tail for t in self.entity_labels] for h in self.entity_labels]
            for r in self.relations
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads back to an equal schema."""
        return {
            "name": self.name,
            "version": self.version,
            "entities": [asdict(e) for e in self.entities],
            "relations": [asdict(r) | {"head": list(r.head), "tail": list(r.tail)} for r in self.relations],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "") -> "LabelSchema":
        """Build a schema from plain data; unknown or missing keys raise SchemaError naming `source`."""
        where = f"{source}: " if source else ""
        if not isinstance(data, Mapping):
            raise SchemaError(
                f"{where}found {type(data).__name__}; accepted: a mapping with 'name' and 'entities'"
            )
        keys = {"name", "version", "entities", "relations", "removed"}
        # `extends` is a key of files, and has been put in by now.
        _check_keys(data, keys, {"name", "entities"}, where + "schema", hints=("extends",))
        origins: dict[str, tuple[str, ...]] = {}
        entities = tuple(
            _build(EntityType, _without_origin(item, origins, f"{where}entity {n}"), f"{where}entity {n}")
            for n, item in enumerate(_items(data, "entities", where), 1)
        )
        relations = tuple(
            _build(
                RelationType, _without_origin(item, origins, f"{where}relation {n}"), f"{where}relation {n}"
            )
            for n, item in enumerate(_items(data, "relations", where), 1)
        )
        return cls(
            str(data["name"]),
            entities,
            relations,
            str(data.get("version", "1")),
            source,
            origins,
            names(data.get("removed") or [], "removed", where + "schema"),
        )

    @classmethod
    def from_yaml(cls, path: str | Path, *, _seen: tuple[Path, ...] = ()) -> "LabelSchema":
        """Read a schema file; it may extend another, see `schema_file`."""
        import yaml  # here: an exported model holds its schema as JSON and runs without

        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise SchemaError(f"cannot read the schema file {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SchemaError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise SchemaError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
        return cls.from_dict(expand(data, Path(path), _seen), source=str(path))

    @property
    def _where(self) -> str:
        return f"{self._source}: " if self._source else ""

    def _refuse_duplicates(self, what: str, names: Sequence[str]) -> None:
        for name in names:
            if names.count(name) > 1:
                raise SchemaError(
                    f"{self._where}{what} {name!r} is listed {names.count(name)} times; accepted: once"
                )


def _items(data: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = data.get(key) or []
    if not isinstance(value, list):
        raise SchemaError(
            f"{where}'{key}' holds {type(value).__name__}; accepted: a list of mappings with 'name'"
        )
    return value


def _without_origin(item: Any, origins: dict[str, tuple[str, ...]], where: str) -> Any:
    """Return an item of a schema file without `from`, which goes into `origins`."""
    if not isinstance(item, Mapping) or "from" not in item:
        return item
    origins[str(item.get("name"))] = names(item["from"], "from", where)
    return {key: value for key, value in item.items() if key != "from"}


def _check_keys(
    data: Mapping[str, Any], known: set[str], required: set[str], where: str, hints: Sequence[str] = ()
) -> None:
    for key in data:
        if key not in known:
            raise SchemaError(
                f"{where}: unknown key {key!r}; {nearest(key, sorted({*known, *hints} - {key}))}"
            )
    for key in sorted(required - data.keys()):
        raise SchemaError(f"{where}: the key {key!r} is missing")


def _build(cls: type, item: Any, where: str) -> Any:
    if not isinstance(item, Mapping):
        raise SchemaError(f"{where}: found {item!r}; accepted: a mapping with 'name'")
    known = {f.name: f for f in fields(cls)}
    _check_keys(item, set(known), {"name"} | ({"head", "tail"} & known.keys()), where)
    values: dict[str, Any] = {}
    for key, value in item.items():
        want = known[key].type
        if want == tuple[str, ...]:
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
                raise SchemaError(f"{where}: {key!r} holds {value!r}; accepted: a list of entity types")
            values[key] = tuple(value)
        elif isinstance(value, want):  # type: ignore[arg-type]
            values[key] = value
        else:
            raise SchemaError(
                f"{where}: {key!r} holds {value!r}; accepted: {getattr(want, '__name__', want)}"
            )
    return cls(**values)
