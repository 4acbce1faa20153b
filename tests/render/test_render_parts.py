"""What the HTML view is drawn from: nesting of spans, joining of letters, colours, safe characters."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.render.characters import joins, one_line, printable
from isnad.model.render.html import colour
from isnad.model.render.nesting import Close, Open, Text, nest
from isnad.model.render.page import palette

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("للعراق", 1, True),
        ("وبغداد", 1, False),  # waw does not join the next letter
        ("بِبغداد", 2, True),  # over a kasra
        ("فيلـق", 4, True),  # after a kashida
        ("ب أ", 1, False),
        ("جزء", 2, False),  # zain joins nothing after it
        ("شيء", 2, False),  # hamza joins nothing
        ("ab", 1, False),
        ("ب5", 1, False),
        ("ب", 1, False),
        ("ب", 0, False),
    ],
)
def test_joins(text, position, expected):
    assert joins(text, position) is expected


# colours


def luminance(lightness: float, chroma: float, hue: float) -> float:
    """Relative luminance (WCAG 2) of an OKLCH colour; matrices of Ottosson 2020."""
    from math import cos, radians, sin

    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    l_, m, s = (
        (lightness + x * a + y * b) ** 3
        for x, y in (
            (0.3963377774, 0.2158037573),
            (-0.1055613458, -0.0638541728),
            (-0.0894841775, -1.2914855480),
        )
    )
    rgb = (
        4.0767416621 * l_ - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l_ + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l_ - 0.7034186147 * m + 1.7076147010 * s,
    )
    red, green, blue = (min(max(c, 0.0), 1.0) for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_labels_are_readable_in_every_hue_and_mode():
    css = (ROOT / "model/render/viewer.css").read_text(encoding="utf-8")
    pattern = r"oklch\((?:calc\(([\d.]+) ([+-]) var\(--tone\) \* ([\d.]+)\)|([\d.]+)) ([\d.]+) var\(--hue\)\)"

    def colours(variable: str, tone: int, hue: int) -> list[float]:
        (rule,) = re.findall(rf"--{variable}: (light-dark\(oklch.*\));", css)
        found = re.findall(pattern, rule)
        assert len(found) == 2
        return [
            luminance(
                float(fixed or base) + (tone * float(f"{sign}{step}") if base else 0), float(chroma), hue
            )
            for base, sign, step, fixed, chroma in found
        ]

    def grey(value: str) -> float:
        channels = [int(value[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    ((ink_light, ink_dark),) = re.findall(r"--ink: light-dark\(#(\w+), #(\w+)\)", palette())
    for hue in range(360):
        for tone in (0, 1):
            fills, tags = colours("fill", tone, hue), colours("tag", tone, hue)
            for fill, tag, ink in zip(fills, tags, (ink_light, ink_dark), strict=True):
                assert contrast(fill, grey(ink)) >= 7, (hue, tone)  # WCAG AAA for the text
                assert contrast(fill, tag) >= 4.5, (hue, tone)  # AA for the label


def test_colours_are_stable_and_apart_for_common_labels():
    assert colour("PERS") == colour("PERS")
    labels = ["PERS", "ORG", "GPE", "OCC"]
    hues = [colour(label)[0] for label in labels]
    for i, one in enumerate(hues):
        for other in hues[i + 1 :]:
            assert min(abs(one - other), 360 - abs(one - other)) >= 60
    for label in ("نوع_جديد", "", "\ud800", "x" * 10_000):
        hue, tone = colour(label)
        assert 0 <= hue < 360 and tone in (0, 1)


# nesting and characters

SPANS = st.lists(
    st.tuples(st.integers(0, 29), st.integers(1, 12)).map(lambda x: (x[0], min(x[0] + x[1], 30))), max_size=12
)


@settings(max_examples=300, deadline=None)
@given(SPANS)
def test_nest_covers_text_and_spans_exactly(spans):
    covered: dict[int, list[int]] = {i: [] for i in range(len(spans))}
    stack: list[int] = []
    text: list[int] = []
    last: dict[int, list[bool]] = {}
    for event in nest(spans, 30):
        match event:
            case Text(start, end):
                assert start < end
                text += range(start, end)
                for i in stack:
                    covered[i] += range(start, end)
            case Open(index, _, is_last):
                assert index not in stack
                stack.append(index)
                last.setdefault(index, []).append(is_last)
            case Close():
                stack.pop()
    assert not stack and text == list(range(30))
    for i, (start, end) in enumerate(spans):
        assert covered[i] == list(range(start, end))
        assert last[i] == [False] * (len(last[i]) - 1) + [True]


def test_nest_is_not_recursive():
    spans = [(i, 4_000 - i) for i in range(1_500)]
    opened = [e for e in nest(spans, 4_000) if isinstance(e, Open)]
    assert [e.height for e in opened] == list(range(1_499, -1, -1))


@given(st.text())
def test_printable_keeps_length_and_can_be_encoded(text):
    shown = printable(text)
    assert len(shown) == len(text)
    shown.encode("utf-8")
    assert "\n" not in one_line(text)
