"""Prodigy: answers, relations by span and by token, repairs that are listed, faults with their lines."""

from pathlib import Path

import pytest
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import prodigy

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
TEXT = "😀 زار قاآني بغداد، وزار قاآني لعراق"


def span(start: int, end: int, label: str | None = "PERS", **more) -> dict:
    return {"start": start, "end": end, "label": label} | more


def test_only_accepted_tasks_are_read(tmp_path, caplog, json_lines):
    spans = [span(4, 9)]
    task = {"text": "زار قاآني", "spans": spans, "_task_hash": 1}
    answers = ("accept", "reject", "ignore", "reject")
    path = json_lines(tmp_path / "a.jsonl", task, *(task | {"answer": answer} for answer in answers))
    read = prodigy.read(path, SCHEMA)
    assert [d.id for d in read] == ["document-1", "document-2"]
    assert "2 × task answered 'reject', skipped" in caplog.text
    assert "1 × task answered 'ignore', skipped" in caplog.text


def test_relations_by_span_and_by_token(tmp_path, caplog, json_lines):
    words = [{"text": "زار", "start": 0, "end": 3}, {"text": "قاآني", "start": 4, "end": 9}]
    words.append({"text": "بغداد", "start": 10, "end": 15})
    spans = [
        span(4, 9, token_start=1, token_end=1),
        span(10, 15, "GPE", token_start=2, token_end=2),
        span(0, 3, None),
    ]
    by_span = {"head_span": span(4, 9, None), "child_span": span(10, 15, None), "label": "visited"}
    by_token = {"head": 1, "child": 2, "label": "supports"}
    task = {"text": "زار قاآني بغداد", "tokens": words, "spans": spans}
    path = json_lines(
        tmp_path / "a.jsonl", task | {"relations": [by_span, by_token, {"head": 1, "child": 2}]}
    )
    (read,) = prodigy.read(path, SCHEMA)
    assert [(r.head, r.label, r.tail) for r in read.relations] == [
        ("T1", "supports", "T2"),
        ("T1", "visited", "T2"),
    ]
    assert "1 × relation without a label, skipped" in caplog.text
    assert "1 × span without a label, skipped" in caplog.text


UTF16 = [span(7, 12, text="قاآني"), span(13, 18, "GPE", text="بغداد"), span(25, 30, text="قاآني")]
REPAIRS = [
    (UTF16, ["قاآني", "بغداد", "قاآني"], [6, 12, 24], "document 'x': offsets are utf-16"),
    (
        [span(11, 16, "GPE", text="بغداد")],
        ["بغداد"],
        [12],
        "moved from 11–16 to 12–17, where alone it stands",
    ),
    ([span(5, 10, token_start=1, token_end=1)], ["قاآني"], [24], "'قاآني', moved from 5–10 to its tokens"),
    (
        [span(5, 10, text="قاآني", token_start=1, token_end=1)],
        ["قاآني"],
        [24],
        "moved from 5–10 to its tokens",
    ),
    ([span(6, 11, text="قاآني", token_start=1, token_end=1)], ["قاآني"], [6], ""),
]


@pytest.mark.parametrize(("spans", "found", "places", "remark"), REPAIRS, ids=range(len(REPAIRS)))
def test_unambiguous_offsets_are_repaired_and_listed(
    tmp_path, caplog, spans, found, places, remark, json_lines
):
    words = [{"text": "زار", "start": 20, "end": 23}, {"text": "قاآني", "start": 24, "end": 29}]
    task = {"text": TEXT, "tokens": words, "spans": spans, "meta": {"id": "x"}}
    (read,) = prodigy.read(json_lines(tmp_path / "a.jsonl", task), SCHEMA)
    assert [(e.text, e.start) for e in read.entities] == list(zip(found, places, strict=True))
    assert remark in caplog.text if remark else not caplog.text


SOUND = {"text": "زار قاآني بغداد", "spans": [span(4, 9), span(10, 15, "GPE")]}
TWICE = {"text": "قاآني ثم قاآني", "spans": [span(3, 8, text="قاآني")]}
RELATED = {"head_span": span(4, 9), "child_span": span(10, 15, "GPE")}
PRODIGY_FAULTS = [
    (TWICE, "T1 spans 3 to 8 and quotes 'قاآني', but the text there is", "which is at 0, 9"),
    (SOUND | {"spans": [span(4, 9, text="صنعاء")]}, "quotes 'صنعاء'", "a quote of the text"),
    (SOUND | {"spans": [span(4, 99)]}, "T1 spans 4 to 99", "0 <= start < end <= 15"),
    (SOUND | {"spans": [span(9, 4)]}, "T1 spans 9 to 4", "0 <= start < end"),
    (SOUND | {"spans": [{"label": "PERS"}]}, "has start None and end None", "code points of the text"),
    (SOUND | {"spans": [span(True, 4)]}, "has start True and end 4", "code points of the text"),
    (SOUND | {"spans": [span(4, 9, "PRES")]}, "unknown entity type 'PRES'", "did you mean 'PERS'?"),
    (SOUND | {"spans": {"start": 1}}, "'spans' is no list", "a Prodigy task"),
    (
        SOUND | {"relations": [RELATED | {"label": "visted"}]},
        "unknown relation 'visted'",
        "did you mean 'visited'",
    ),
    (
        SOUND | {"relations": [{"head": 1, "child": 2, "label": "visited"}]},
        "('last token', 1)) is no span",
        "head_span",
    ),
    (
        SOUND | {"relations": [RELATED | {"label": "visited", "head_span": span(0, 3)}]},
        "the head of 'visited' (start 0, end 3) is no span with a label",
        "start, end and label of one of the spans under 'head_span'",
    ),
    (
        {
            "text": "زار قاآني",
            "spans": [span(4, 9), span(4, 9, "ORG")],
            "relations": [
                {"head_span": span(4, 9, None), "child_span": span(4, 9, "ORG"), "label": "visited"}
            ],
        },
        "the head of 'visited' (start 4, end 9) is more than one span",
        "start, end and label",
    ),
    (SOUND | {"answer": "yes"}, "the answer 'yes'", "accept, reject, ignore"),
    ({"image": "x.png"}, "no 'text'", "a Prodigy task"),
    ('{"text": "زار', "not JSON at column", "a Prodigy task"),
    ("[1, 2]", "found int", "a Prodigy task"),
]


@pytest.mark.parametrize(("task", "found", "accepted"), PRODIGY_FAULTS, ids=lambda v: str(v)[:20])
def test_prodigy_faults(tmp_path, task, found, accepted, json_lines):
    path = json_lines(tmp_path / "a.jsonl", SOUND, SOUND, task, SOUND)
    with pytest.raises(DataError) as caught:
        prodigy.read(path, SCHEMA)
    message = str(caught.value)
    assert message.startswith(f"{path}:3: "), message
    assert found in message and accepted in message, message


def test_all_faults_of_a_file_come_at_once(tmp_path, json_lines):
    bad = SOUND | {"spans": [span(4, 9, "PRES"), span(4, 99)]}
    with pytest.raises(
        DataError, match=r"3 faults\n  line 1: .*PRES.*\n  line 1: .*4 to 99.*\n  line 3: not JSON"
    ):
        prodigy.read(json_lines(tmp_path / "a.jsonl", bad, SOUND, "{", SOUND), SCHEMA)


def test_one_id_twice_is_made_unique(tmp_path, caplog, json_lines):
    task = SOUND | {"meta": {"id": 7}}
    read = prodigy.read(json_lines(tmp_path / "a.jsonl", task, task), SCHEMA)
    assert [d.id for d in read] == ["7", "7#2"] and "document id used before" in caplog.text
