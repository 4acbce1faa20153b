"""The reliability diagram of a model card as SVG text, readable on light and dark pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any
from xml.sax.saxutils import escape

# Of one panel, in pixels: the diagram, and below it the strip that counts the items of each bin.
_LEFT, _TOP, _SIDE, _GAP, _STRIP, _WIDTH = 58, 58, 270, 56, 56, 350
_HEIGHT = _TOP + _SIDE + _GAP + _STRIP + 32
_STYLE = """
  .page { fill: #ffffff }
  text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .small, .count { fill: #57606a }
  .count { font-size: 9px }
  .axis { stroke: #57606a; stroke-width: 1; fill: none }
  .grid { stroke: #d8dee4; stroke-width: 1 }
  .ideal { stroke: #57606a; stroke-width: 1.5; stroke-dasharray: 5 4 }
  .bar { fill: #0969da; fill-opacity: .28 }
  .dot { fill: #0550ae }
  .whisker { stroke: #0550ae; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
    text { fill: #e6edf3 }
    .small, .count { fill: #9198a1 }
    .axis, .ideal { stroke: #9198a1 }
    .grid { stroke: #30363d }
    .bar { fill: #58a6ff }
    .dot { fill: #79c0ff }
    .whisker { stroke: #79c0ff }
  }
"""


@dataclass(frozen=True)
class Panel:
    """One diagram.

    Attributes:
        title, subtitle: lines above it.
        bins: mappings with `low`, `high`, `n`, `score_sum` and `correct`, as stored results hold them.
    """

    title: str
    subtitle: str
    bins: Sequence[Mapping[str, Any]]


def reliability_svg(panels: Sequence[Panel], *, description: str = "") -> str:
    """Draw reliability diagrams side by side (DeGroot & Fienberg 1983; Niculescu-Mizil & Caruana 2005).

    For each bin with items: a bar as high as the share of right items, a dot at (mean score, share of right
    items) with a 95% Wilson interval, and in the strip below the number of items. Calibrated scores lie on the
    dashed diagonal.

    Args:
        panels: what to draw, from left to right.
        description: for readers who do not see it.

    Returns:
        A whole SVG file.
    """
    width = _WIDTH * len(panels) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" '
        f'height="{_HEIGHT}" role="img">',
        f"<title>{escape(', '.join(p.title for p in panels) or 'Reliability')}</title>",
        f"<desc>{escape(description)}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{width}" height="{_HEIGHT}"/>',
    ]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate({number * _WIDTH} 0)">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def wilson(correct: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval of a share (Wilson, JASA 22, 1927); (0, 1) for n = 0."""
    if not n:
        return 0.0, 1.0
    share = correct / n
    middle = share + z * z / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    whole = 1 + z * z / n
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def _panel(panel: Panel) -> list[str]:
    bottom = _TOP + _SIDE
    parts = [
        f'<text class="title" x="{_LEFT}" y="24">{escape(panel.title)}</text>',
        f'<text class="small" x="{_LEFT}" y="44">{escape(panel.subtitle)}</text>',
        *_axes(bottom),
    ]
    for b in panel.bins:
        if b["n"]:
            parts += _bin(b)
    parts.append(f'<line class="ideal" x1="{_LEFT}" y1="{bottom}" x2="{_LEFT + _SIDE}" y2="{_TOP}"/>')
    return parts + _counts(panel.bins, bottom + _GAP + _STRIP)


def _axes(bottom: int) -> list[str]:
    parts = []
    for tick in range(0, 11, 2):
        x, y, name = _x(tick / 10), _y(tick / 10), f"{tick / 10:g}"
        parts += [
            f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_LEFT + _SIDE}" y2="{y}"/>',
            f'<text class="small" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{name}</text>',
            f'<line class="axis" x1="{x}" y1="{bottom}" x2="{x}" y2="{bottom + 4}"/>',
            f'<text class="small" x="{x}" y="{bottom + 18}" text-anchor="middle">{name}</text>',
        ]
    middle = _TOP + _SIDE / 2
    return [
        *parts,
        f'<text x="{_LEFT + _SIDE / 2}" y="{bottom + 36}" text-anchor="middle">score</text>',
        f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{_LEFT + _SIDE}"/>',
        f'<text x="18" y="{middle}" text-anchor="middle" transform="rotate(-90 18 {middle})">share correct</text>',
    ]


def _bin(b: Mapping[str, Any]) -> list[str]:
    share, score = b["correct"] / b["n"], b["score_sum"] / b["n"]
    low, high = wilson(b["correct"], b["n"])
    left, right, x = _x(b["low"]), _x(b["high"]), _x(score)
    return [
        f'<rect class="bar" x="{left + 0.5:.1f}" y="{_y(share)}" width="{right - left - 1:.1f}" '
        f'height="{_TOP + _SIDE - _y(share):.1f}"/>',
        f'<line class="whisker" x1="{x}" y1="{_y(low)}" x2="{x}" y2="{_y(high)}"/>',
        f'<circle class="dot" cx="{x}" cy="{_y(share)}" r="3.2"/>',
    ]


def _counts(bins: Sequence[Mapping[str, Any]], base: int) -> list[str]:
    most = max((b["n"] for b in bins), default=0) or 1
    parts = []
    for b in bins:
        height = _STRIP * 0.55 * b["n"] / most
        left, right = _x(b["low"]), _x(b["high"])
        middle = (left + right) / 2 + 3
        top = base - height
        parts.append(
            f'<rect class="bar" x="{left + 0.5:.1f}" y="{top:.1f}" width="{right - left - 1:.1f}" '
            f'height="{height:.1f}"/>'
        )
        if b["n"]:
            parts.append(
                f'<text class="count" x="{middle:.1f}" y="{top - 3:.1f}" '
                f'transform="rotate(-90 {middle:.1f} {top - 3:.1f})">{b["n"]:,}</text>'
            )
    return [
        *parts,
        f'<path class="axis" d="M{_LEFT} {base}H{_LEFT + _SIDE}"/>',
        f'<text class="small" x="{_LEFT + _SIDE / 2}" y="{base + 18}" text-anchor="middle">number in each bin</text>',
    ]


def _x(value: float) -> float:
    return round(_LEFT + _SIDE * value, 1)


def _y(value: float) -> float:
    return round(_TOP + _SIDE * (1 - value), 1)
