"""The plots of a benchmark report as inline SVG; colours come from the page's style sheet, light and dark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Any

from ...model.render.characters import one_line
from ...training.card_chart import wilson
from .report_numbers import Score

# Of the drawing area, in pixels, and of the room for the axes around it.
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 44
# The page's style sheet has this many colours of series; marks differ in shape too.
SERIES = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of points.

    Attributes:
        name: for the legend.
        points: (x, score).
        series: which colour and mark.
    """

    name: str
    points: Sequence[tuple[float, Score]]
    series: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawing area with axes: x from `x_low` to `x_high`, y from `y_low` to `y_high`."""

    width: float
    height: float
    x_low: float = 0.0
    x_high: float = 1.0
    y_low: float = 0.0
    y_high: float = 1.0

    def x(self, value: float) -> float:
        """Return the pixel of a value."""
        return round(_LEFT + self.width * (value - self.x_low) / ((self.x_high - self.x_low) or 1), 1)

    def y(self, value: float) -> float:
        """Return the pixel of a value."""
        return round(_TOP + self.height * (1 - (value - self.y_low) / ((self.y_high - self.y_low) or 1)), 1)

    def svg(self, title: str, body: Sequence[str]) -> str:
        """Return a whole `svg` element."""
        width, height = _LEFT + self.width + _RIGHT, _TOP + self.height + _BOTTOM
        name = _text(title)
        return (
            f'<svg class="plot" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
            f'role="img" aria-label="{name}"><title>{name}</title>{"".join(body)}</svg>'
        )

    def axes(
        self,
        x_ticks: Sequence[tuple[float, str]],
        y_ticks: Sequence[tuple[float, str]],
        x_title: str,
        y_title: str,
    ) -> list[str]:
        """Return grid, axes, ticks and titles."""
        bottom, right = _TOP + self.height, _LEFT + self.width
        parts = []
        for value, name in y_ticks:
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{right:g}" y2="{y}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{_text(name)}</text>')
        for value, name in x_ticks:
            x = self.x(value)
            parts.append(f'<line class="axis" x1="{x}" y1="{bottom:g}" x2="{x}" y2="{bottom + 4:g}"/>')
            parts.append(f'<text x="{x}" y="{bottom + 17:g}" text-anchor="middle">{_text(name)}</text>')
        middle, side = _LEFT + self.width / 2, _TOP + self.height / 2
        return [
            *parts,
            f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom:g}H{right:g}"/>',
            f'<text x="{middle:g}" y="{bottom + 36:g}" text-anchor="middle">{_text(x_title)}</text>',
            f'<text x="11" y="{side:g}" text-anchor="middle" transform="rotate(-90 11 {side:g})">'
            f"{_text(y_title)}</text>",
        ]


def reliability_plot(title: str, bins: Sequence[Mapping[str, Any]]) -> str:
    """Draw a reliability diagram (DeGroot & Fienberg 1983; Niculescu-Mizil & Caruana 2005).

    For each bin with items a bar as high as the share of right items, a dot at (mean score, that share) with
    a 95% Wilson interval, and the number of items as the depth of the bar's colour; calibrated scores lie on
    the diagonal.

    Args:
        title: for readers who do not see it.
        bins: with `low`, `high`, `n`, `score_sum` and `correct`, as stored results hold them.
    """
    frame = Frame(232, 232)
    ticks = [(n / 10, f"{n / 10:g}") for n in range(0, 11, 2)]
    body = frame.axes(ticks, ticks, "score", "share right")
    most = max((b["n"] for b in bins), default=0) or 1
    for b in bins:
        if b["n"]:
            body += _bin(frame, b, most)
    body.append(
        f'<line class="ideal" x1="{frame.x(0)}" y1="{frame.y(0)}" x2="{frame.x(1)}" y2="{frame.y(1)}"/>'
    )
    return frame.svg(title, body)


def curve_plot(title: str, curves: Sequence[Curve], *, x_title: str, y_title: str = "F1 in percent") -> str:
    """Draw learning curves: lines with marks and, where known, intervals; x on a logarithmic scale."""
    points = [(x, s) for curve in curves for x, s in curve.points if x > 0]
    xs = sorted({x for x, _ in points})
    values = [v for _, s in points for v in (s.value, s.low, s.high) if v is not None]
    if not xs:
        return ""
    span = max(values) - min(values)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if span <= 6 * s or s == 0.2)
    first, last = floor(max(0.0, min(values)) / step), ceil(max(values) / step)
    frame = Frame(460, 250, log10(xs[0]), log10(xs[-1]), first * step, max(last, first + 1) * step)
    steps = [n * step for n in range(first, max(last, first + 1) + 1)]
    x_ticks = [(log10(x), f"{x:,g}") for x in apart(xs, frame)]
    body = frame.axes(x_ticks, [(v, f"{100 * v:.0f}") for v in steps], x_title, y_title)
    for curve in curves:
        body += _curve(frame, curve)
    return frame.svg(title, body)


def legend(names: Sequence[str]) -> str:
    """Return the key to the series, as HTML."""
    items = "".join(
        f'<li><svg class="plot key" viewBox="0 0 22 12" width="22" height="12" aria-hidden="true">'
        f'<path class="line s{n % SERIES}" d="M0 6H22"/>{mark(11, 6, n)}</svg> <bdi>{_text(name)}</bdi></li>'
        for n, name in enumerate(names)
    )
    return f'<ul class="legend">{items}</ul>'


def bar(value: Score) -> str:
    """Return a score and its interval as a small bar on a scale from 0 to 1."""
    width, end = 48, round(48 * min(1.0, max(0.0, value.value)), 1)
    whisker = ""
    if value.low is not None and value.high is not None:
        whisker = f'<path class="whisker" d="M{width * value.low:.1f} 4H{width * value.high:.1f}"/>'
    return (
        f'<svg class="plot bar" viewBox="0 0 {width} 8" width="{width}" height="8" aria-hidden="true">'
        f'<rect class="track" width="{width}" height="8" rx="2"/>'
        f'<rect class="fill" width="{end}" height="8" rx="2"/>{whisker}</svg>'
    )


def _bin(frame: Frame, b: Mapping[str, Any], most: int) -> list[str]:
    share, mean = b["correct"] / b["n"], b["score_sum"] / b["n"]
    low, high = wilson(b["correct"], b["n"])
    left, right, x = frame.x(b["low"]), frame.x(b["high"]), frame.x(mean)
    depth = 0.15 + 0.55 * (b["n"] / most) ** 0.5
    return [
        f'<rect class="bin" x="{left + 0.5:.1f}" y="{frame.y(share)}" width="{right - left - 1:.1f}" '
        f'height="{frame.y(0) - frame.y(share):.1f}" fill-opacity="{depth:.2f}">'
        f"<title>{b['low']:.2f}–{b['high']:.2f}: {b['correct']:,} of {b['n']:,} right, "
        f"mean score {mean:.2f}</title></rect>",
        f'<line class="whisker" x1="{x}" y1="{frame.y(low)}" x2="{x}" y2="{frame.y(high)}"/>',
        f'<circle class="dot" cx="{x}" cy="{frame.y(share)}" r="3"/>',
    ]


def _curve(frame: Frame, curve: Curve) -> list[str]:
    points = [(log10(x), s) for x, s in sorted(curve.points, key=lambda p: p[0]) if x > 0]
    series = curve.series % SERIES
    path = "L".join(f"{frame.x(x)} {frame.y(s.value)}" for x, s in points)
    parts = [f'<path class="line s{series}" d="M{path}"/>'] if points else []
    for x, s in points:
        if s.low is not None and s.high is not None:
            at = frame.x(x)
            ends = f'y1="{frame.y(s.low)}" x2="{at}" y2="{frame.y(s.high)}"'
            parts.append(f'<line class="line s{series}" x1="{at}" {ends}/>')
        parts.append(mark(frame.x(x), frame.y(s.value), curve.series))
    return parts


def mark(x: float, y: float, series: int) -> str:
    """Return the sign of a series at a place, in pixels: series differ in shape where they share a colour."""
    kind, shade = series % 4, f'class="mark s{series % SERIES}"'
    if kind == 0:
        return f'<circle {shade} cx="{x}" cy="{y}" r="4"/>'
    shapes = {
        1: f"M{x - 3.5:.1f} {y - 3.5:.1f}h7v7h-7z",
        2: f"M{x:.1f} {y - 4.5:.1f}l4.5 8h-9z",
        3: f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z",
    }
    return f'<path {shade} d="{shapes[kind]}"/>'


def apart(xs: Sequence[float], frame: Frame) -> list[float]:
    """Return the values whose ticks have room beside each other, the last always among them."""
    kept: list[float] = []
    for x in reversed(xs):
        if not kept or frame.x(log10(kept[-1])) - frame.x(log10(x)) > 44:
            kept.append(x)
    return kept


def _text(text: str) -> str:
    return escape(one_line(text), quote=True)
