"""Tokens of the formats whose spans are runs of tokens: no mention is cut, no visible character left out."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.training.data.tokens import pieces, tokens


def test_tokens_are_cut_where_mentions_begin_and_end():
    text = "وبسفارة العراق  "
    found = tokens(text, [(2, 14), (8, 14)])
    assert [text[s:e] for s, e in found] == ["وب", "سفارة", "العراق"]
    assert [text[s:e] for s, e in tokens(text, [(7, 15)])] == ["وبسفارة", " ", "العراق", " "]
    assert tokens("", []) == []


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 29), st.integers(1, 30)), max_size=5))
def test_tokens_hold_every_span(text, drawn):
    spans = [(s, min(e, len(text))) for s, e in drawn if s < min(e, len(text))]
    found, cut = tokens(text, spans), pieces(text, spans)
    assert {s for s, _ in spans} <= {s for s, _ in found} and {e for _, e in spans} <= {e for _, e in found}
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    assert "".join(text[p.start : p.end] for p in cut) == text
    left_out = set(range(len(text))) - {i for s, e in found for i in range(s, e)}
    assert not any(text[i].isalnum() for i in left_out)
