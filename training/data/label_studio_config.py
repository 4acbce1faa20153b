"""The labelling configuration that a Label Studio project needs to show our labels and relations."""

import colorsys
from xml.sax.saxutils import quoteattr

from ...model.render.html import colour
from ...model.schema import EntityType, LabelSchema, RelationType
from .records import COREFERENCE, holds_clusters


def labeling_config(schema: LabelSchema) -> str:
    """Return the configuration (https://labelstud.io/tags/labels) of a project for a schema.

    The text runs from right to left, its blanks and line ends are kept, and names can be marked by the letter, so that
    proclitics stay outside. The names `label` and `text` are those that `label_studio.write` uses.

    Args:
        schema: the entity types become labels, the relation types relations.
    """
    labels = "\n".join(_label(e) for e in schema.entities)
    relations = [_relation(r) for r in schema.relations]
    if holds_clusters(schema):
        relations.append(f"    <Relation value={quoteattr(COREFERENCE)}/>")
    return "\n".join(
        (
            "<View>",
            "  <Style>.htx-text { white-space: pre-wrap; }</Style>",
            "  <Relations>",
            *relations,
            "  </Relations>",
            '  <Labels name="label" toName="text" showInline="true">',
            labels,
            "  </Labels>",
            '  <View style="direction: rtl; text-align: right; line-height: 2">',
            '    <Text name="text" value="$text" granularity="symbol" saveTextResult="yes"/>',
            "  </View>",
            "</View>",
            "",
        )
    )


def _label(entity: EntityType) -> str:
    hint = f" hint={quoteattr(_described(entity))}" if _described(entity) else ""
    return f'    <Label value={quoteattr(entity.name)} background="{_paint(entity.name)}"{hint}/>'


def _relation(relation: RelationType) -> str:
    return f"    <Relation value={quoteattr(relation.name)}/>"


def _described(item: EntityType) -> str:
    return " · ".join(part for part in (item.ar, item.en) if part)


def _paint(label: str) -> str:
    hue, tone = colour(label)
    red, green, blue = colorsys.hls_to_rgb(hue / 360, 0.45 if tone else 0.6, 0.6)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
