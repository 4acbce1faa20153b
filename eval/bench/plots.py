"""The plots of `isnad bench` as inline SVG, in the colours of benchmark reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from ..benchmark.report_cells import esc
from ..benchmark.report_plots import SERIES, Frame, apart, mark

_WIDTH, _ROW = 460, 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        name: above it.
        value, low, high: its length and its interval.
        note: at the end of its line.
        series: its colour.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    note: str = ""
    series: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of points: (x, y, low, high), the last two None where there is no interval."""

    name: str
    points: Sequence[tuple[float, float, float | None, float | None]]
    series: int = 0


def bar_plot(title: str, bars: Sequence[Bar]) -> str:
    """Draw horizontal bars from 0 with their intervals, each under its name; nothing for none."""
    most = max((max(b.value, b.high or 0.0) for b in bars), default=0.0)
    if not most:
        return ""
    body = []
    for n, b in enumerate(bars):
        top = n * _ROW
        body.append(f'<text class="name" x="0" y="{top + 14}">{esc(b.name)}</text>')
        body.append(f'<text x="{_WIDTH}" y="{top + 14}" text-anchor="end">{esc(b.note)}</text>')
        length = round(_WIDTH * b.value / most, 1)
        body.append(
            f'<rect class="barred s{b.series % SERIES}" x="0" y="{top + 20}" width="{length}" height="10" rx="2"/>'
        )
        if b.low is not None and b.high is not None:
            low, high = (round(_WIDTH * v / most, 1) for v in (b.low, b.high))
            body.append(
                f'<path class="ends" d="M{low} {top + 25}H{high}M{low} {top + 21}v8M{high} {top + 21}v8"/>'
            )
    name = esc(title)
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {len(bars) * _ROW}" width="{_WIDTH}" height="{len(bars) * _ROW}" '
        f'role="img" aria-label="{name}"><title>{name}</title>{"".join(body)}</svg>'
    )


def line_plot(title: str, lines: Sequence[Line], *, x_title: str, y_title: str, y_log: bool = False) -> str:
    """Draw lines with marks and intervals; x is logarithmic, y too or from 0. Nothing for no points."""
    points = [p for line in lines for p in line.points]
    if not points:
        return ""
    xs = [p[0] for p in points]
    ys = [v for p in points for v in p[1:] if v is not None and v > 0]
    place: Callable[[float], float] = log10 if y_log else float
    low, high, steps = (_decades if y_log else _from_zero)(ys)
    frame = Frame(
        400, 240, log10(min(xs)), log10(max(xs)) if max(xs) > min(xs) else log10(min(xs)) + 1, low, high
    )
    body = frame.axes(
        [(log10(x), short(x)) for x in apart(sorted(set(xs)), frame)],
        [(place(v), short(v)) for v in steps],
        x_title,
        y_title,
    )
    for line in lines:
        body += _line(frame, line, place)
    return frame.svg(title, body)


def short(value: float) -> str:
    """Return a number in few characters: 0.01, 5, 300, 20k, 1M."""
    for least, unit, sign in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{value / unit:.3g}{sign}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def interval(stored: Mapping[str, Any] | None) -> tuple[float, float | None, float | None] | None:
    """Return (value, low, high) of a stored quantity; None if there is none."""
    return (stored["value"], stored["low"], stored["high"]) if stored else None


def _line(frame: Frame, line: Line, place: Callable[[float], float]) -> list[str]:
    shade = f's{line.series % SERIES}"'
    at = [(frame.x(log10(x)), frame.y(place(y))) for x, y, *_ in line.points]
    parts = [f'<path class="line {shade} d="M{"L".join(f"{x} {y}" for x, y in at)}"/>'] if at else []
    for (x, y), (_, _, low, high) in zip(at, line.points, strict=True):
        if low is not None and high is not None and low > 0:
            ends = f'y1="{frame.y(place(low))}" x2="{x}" y2="{frame.y(place(high))}"'
            parts.append(f'<line class="line {shade} x1="{x}" {ends}/>')
        parts.append(mark(x, y, line.series))
    return parts


def _decades(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Return the exponents at both ends of an axis, and the powers of ten between them."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    high = max(high, low + 1)
    return low, high, [10.0**n for n in range(low, high + 1)]


def _from_zero(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Return 0, the end of an axis, and at most seven round numbers between them."""
    most = max(values, default=1.0)
    unit = 10.0 ** floor(log10(most))
    step = next(s * unit for s in (0.2, 0.5, 1.0, 2.0) if most <= 6 * s * unit)
    count = ceil(most / step - 1e-9)
    return 0.0, count * step, [n * step for n in range(count + 1)]
