"""What the layers of a CAS mean: which hold entities, which relations, which clusters."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...model.document import Document
from ...model.errors import DataError, nearest
from ...model.schema import LabelSchema
from .builder import DocumentBuilder
from .cas_offsets import lines
from .files import Faults

if TYPE_CHECKING:
    from cassis import Cas

_CORE = "de.tudarmstadt.ukp.dkpro.core.api."
NAMED_ENTITY = f"{_CORE}ner.type.NamedEntity"
DOCUMENT = f"{_CORE}metadata.type.DocumentMetaData"
SENTENCE = f"{_CORE}segmentation.type.Sentence"
TOKEN = f"{_CORE}segmentation.type.Token"
LINK = f"{_CORE}coref.type.CoreferenceLink"
CHAIN = f"{_CORE}coref.type.CoreferenceChain"
# Layers that come with the tools and say nothing of entities; what a project defines has other names.
_BUILT_IN = ("uima.", "de.tudarmstadt.ukp.", "org.dkpro.")
_UNREMARKED = (SENTENCE, TOKEN, "de.tudarmstadt.ukp.clarin.", f"{_CORE}metadata.", "uima.")


class Annotated:
    """One loaded file.

    Attributes:
        name: path below the folder without suffix.
        text: the text, untouched.
        annotations: all of the view that holds the text, in its order, offsets in code points.
        wrong: by id of an annotation, what is wrong with its offsets: found, line, accepted.
        faults: the faults of the file.
        lines: by id of an annotation, its line.
        title: the title in its metadata, or empty.
    """

    def __init__(
        self,
        name: str,
        text: str,
        cas: "Cas",
        source: str,
        wrong: Mapping[int, tuple[str, int, str]],
        faults: Faults,
    ) -> None:
        self.name, self.text, self.wrong, self.faults = name, text, wrong, faults
        view = next(view for view in cas.views if view.sofa.sofaString == text)
        found = cas.get_view(view.sofa.sofaID).select("uima.tcas.Annotation")
        self.annotations = sorted(found, key=lambda fs: (fs.begin or 0, -(fs.end or 0), fs.xmiID))
        self.lines = lines(source)
        titles = [getattr(fs, "documentTitle", None) for fs in self.annotations if fs.type.name == DOCUMENT]
        self.title: str = next((title for title in titles if title), "")


@dataclass(frozen=True, slots=True)
class Layers:
    """The features that hold labels, by name of the layer; an empty name: the layer's own name is the label."""

    entities: Mapping[str, str]
    relations: Mapping[str, str]


def choose(files: Sequence[Annotated], schema: LabelSchema) -> Layers:
    """Decide over all files which feature of which layer holds the labels of the schema.

    Raises:
        DataError: there are custom layers with values, no layer NamedEntity, and no value is an entity type.
    """
    values: dict[str, dict[str, Counter[str]]] = {}
    relational: set[str] = set()
    for file in files:
        for fs in file.annotations:
            layer = fs.type.name
            if _is_custom(layer) and not _is_link(fs):
                for feature, value in _strings(fs):
                    values.setdefault(layer, {}).setdefault(feature, Counter())[value] += 1
                values.setdefault(layer, {})
                relational |= {layer} if _is_relation(fs) else set()
    spans = {layer: found for layer, found in values.items() if layer not in relational}
    entities = _holding(spans, schema.entity_labels)
    if spans and not entities and not any(_is_named_entity(fs) for f in files for fs in f.annotations):
        shown = ", ".join(
            f"{layer} ({', '.join(_samples(found)) or 'no values'})" for layer, found in spans.items()
        )
        raise DataError(
            f"no value of the custom layers is an entity type: {shown}",
            path=files[0].faults.path,
            accepted=f"labels of the schema; {nearest(_first(spans), schema.entity_labels)}",
        )
    held = _holding({n: found for n, found in values.items() if n in relational}, schema.relation_labels)
    return Layers(entities, held)


def build(file: Annotated, layers: Layers, schema: LabelSchema, notices: Counter[str]) -> Document:
    """Return the document of a file; DataError lists its faults."""
    builder = DocumentBuilder(file.text, schema, file.faults, file.title, notices)
    ids: dict[int, str] = {}
    for fs in file.annotations:
        feature = "value" if _is_named_entity(fs) else layers.entities.get(fs.type.name)
        if feature is not None:
            label = getattr(fs, feature, None) if feature else _short(fs.type.name)
            if not label:
                notices[f"annotation of the layer {_short(fs.type.name)} without a label, skipped"] += 1
                continue
            ids[fs.xmiID] = f"T{len(ids) + 1}"
            _mention(builder, file, fs, ids[fs.xmiID], str(label))
    for fs in file.annotations:
        if _is_relation(fs) and fs.type.name in layers.relations:
            _relate(builder, file, fs, layers.relations[fs.type.name], ids)
        elif fs.xmiID not in ids and not _is_accounted(fs, layers):
            notices[f"annotation of the layer {fs.type.name}, which is not read, skipped"] += 1
    at: dict[tuple[int, int], list[Any]] = {}
    for fs in file.annotations:
        if fs.xmiID in ids:
            at.setdefault((fs.begin, fs.end), []).append(fs)
    for group in _chains([fs for fs in file.annotations if _is_link(fs)]):
        members = [_member(link, at.get((link.begin, link.end), []), ids, schema) for link in group]
        kept = [member for member in members if member is not None]
        if len(kept) < len(group):
            notices["link of a chain that is no entity or could be several, skipped"] += len(group) - len(
                kept
            )
        builder.group(kept)
    document = builder.build()
    file.faults.raise_any()
    return document


def _mention(builder: DocumentBuilder, file: Annotated, fs: Any, id_: str, label: str) -> None:
    line = file.lines.get(fs.xmiID, 0)
    if fs.xmiID in file.wrong:
        found, line, accepted = file.wrong[fs.xmiID]
        builder.refuse(
            id_, f"document {builder.id!r}: the {label} {fs.xmiID} {found}", line=line, accepted=accepted
        )
    else:
        builder.mention(id_, fs.begin or 0, fs.end or 0, label, line=line)


def _relate(builder: DocumentBuilder, file: Annotated, fs: Any, feature: str, ids: Mapping[int, str]) -> None:
    label = getattr(fs, feature, None) if feature else _short(fs.type.name)
    if not label:
        builder.notices["relation without a label, skipped"] += 1
        return
    # -1 is no id: an end may be missing.
    head, tail = (getattr(getattr(fs, end, None), "xmiID", -1) for end in ("Governor", "Dependent"))
    if head not in ids or tail not in ids:
        builder.notices[f"relation {label!r} at annotations that are no entities, skipped"] += 1
        return
    builder.relate(ids[head], str(label), ids[tail], line=file.lines.get(fs.xmiID, 0))


def _chains(links: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield the links of each chain; one that leads round in a circle begins anywhere."""
    followers = {link.next.xmiID for link in links if getattr(link, "next", None) is not None}
    seen: set[int] = set()
    for first in sorted(links, key=lambda link: link.xmiID in followers):
        chain, link = [], first
        while link is not None and link.xmiID not in seen:
            seen.add(link.xmiID)
            chain.append(link)
            link = getattr(link, "next", None)
        if chain:
            yield chain


def _member(link: Any, here: Sequence[Any], ids: Mapping[int, str], schema: LabelSchema) -> str | None:
    """Return the mention that a link stands on: by the label it carries, or the only one that can corefer."""
    labels = {fs.xmiID: _label(fs, schema) for fs in here}
    for wanted in ({getattr(link, "referenceType", None)}, schema.coreferent_labels, set(labels.values())):
        fitting = [fs for fs in here if labels[fs.xmiID] in wanted]
        if len(fitting) == 1:
            return ids[fitting[0].xmiID]
    return None


def _label(fs: Any, schema: LabelSchema) -> str:
    held = [value for _, value in _strings(fs) if value in schema.entity_index]
    return held[0] if held else _short(fs.type.name)


def _holding(values: Mapping[str, Mapping[str, Counter[str]]], labels: Sequence[str]) -> dict[str, str]:
    """Return, for layers that hold labels, the feature with most of them."""
    chosen = {}
    for layer, found in values.items():
        known = {name: sum(n for value, n in c.items() if value in labels) for name, c in found.items()}
        best = max(known, key=lambda name: known[name], default="")
        if known.get(best):
            chosen[layer] = best
        elif _short(layer) in labels:
            chosen[layer] = ""
    return chosen


def _strings(fs: Any) -> Iterator[tuple[str, str]]:
    for feature in fs.type.all_features:
        value = getattr(fs, feature.name, None)
        if isinstance(value, str) and value:
            yield feature.name, value


def _samples(found: Mapping[str, Counter[str]]) -> list[str]:
    return [repr(value) for counted in found.values() for value, _ in counted.most_common(3)]


def _first(spans: Mapping[str, Mapping[str, Counter[str]]]) -> str:
    return next((value for found in spans.values() for counted in found.values() for value in counted), "")


def _short(layer: str) -> str:
    return layer.rsplit(".", 1)[-1]


def _is_custom(layer: str) -> bool:
    return not layer.startswith(_BUILT_IN)


def _is_named_entity(fs: Any) -> bool:
    # DKPro Core has a type of its own for every OntoNotes label, each below NamedEntity.
    return fs.type.name.startswith(f"{_CORE}ner.type.")


def _is_accounted(fs: Any, layers: Layers) -> bool:
    """Whether an annotation is read elsewhere, or is part of every file and no annotation of anybody's."""
    layer = fs.type.name
    return _is_link(fs) or _is_named_entity(fs) or layer in layers.entities or layer.startswith(_UNREMARKED)


def _is_relation(fs: Any) -> bool:
    return {"Governor", "Dependent"} <= {feature.name for feature in fs.type.all_features}


def _is_link(fs: Any) -> bool:
    """Whether an annotation is a link of a chain layer, the built-in one or a project's own."""
    return fs.type.name == LINK or (
        fs.type.name.endswith("Link") and "next" in {feature.name for feature in fs.type.all_features}
    )
