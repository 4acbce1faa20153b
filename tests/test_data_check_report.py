"""The report of the data doctor: plain data, the table for screens, the page."""

import json
import re
from html.parser import HTMLParser

import pytest
from isnad.model.document import Document
from isnad.model.text import make_entity
from isnad.training.data.check import KINDS, Drift, Finding, LabelRow, Report, Severity
from isnad.training.data.check.findings import at, in_order
from isnad.training.data.check.report_html import SHOWN, to_html
from isnad.training.data.check.report_table import render, verdict
from rich.console import Console

EVIL = '<script>alert("x")</script>&<b>'
TEXT = f"سافر السيد قاآني أمس وبغداد {EVIL} في انتظاره، ثم عاد."


def finding(**changes: object) -> Finding:
    document = Document(TEXT, (make_entity(TEXT, 21, 27, "GPE", id="T1"),), id=f"doc-{EVIL}")
    made = at(
        Severity.WARNING,
        "clitic",
        "begins with the proclitic «و»: «بغداد» is GPE elsewhere (3 times)",
        document,
        21,
        27,
        split="train",
        label=f"GPE{EVIL}",
        suggestion="«بغداد», from 22 to 27",
    )
    return Finding(**{name: getattr(made, name) for name in Finding.__slots__} | changes)  # type: ignore[arg-type]


def report(*findings: Finding, remarks: tuple[str, ...] = ()) -> Report:
    drift = Drift("entity", 0.25, 0.001, {"GPE": (0.5, 0.1)}, f"GPE is 50% of train {EVIL}")
    totals = {"documents": 3, "entities": 1200}
    return Report(
        sources={"train": f"data/{EVIL}.jsonl", "dev": "seeds:authored/dev"},
        schema="wojood",
        totals={"train": totals, "dev": totals},
        labels=[
            LabelRow("entity", f"GPE{EVIL}", {"train": 1200, "dev": 4}, {"train": 60, "dev": 3}),
            LabelRow("entity", "LAW", {"train": 0, "dev": 0}, {"train": 0, "dev": 0}),
            LabelRow("relation", "visited", {"train": 7, "dev": 0}),
        ],
        drift=[drift],
        findings=in_order(findings),
        remarks=remarks,
    )


def printed(made: Report, width: int = 110, **options: int) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for part in render(made, **options):
        console.print(part)
    return console.export_text()


class TestFindings:
    def test_a_place_is_quoted_with_whole_words_of_its_line(self):
        text = "سطر قبل.\n" + "كلمة " * 30 + "بغداد" + " جديد" * 30 + "\nسطر بعد."
        start = text.index("بغداد")
        found = at(Severity.NOTE, "clitic", "m", Document(text, id="d"), start, start + 5)
        assert found.text == "بغداد" and text[found.start : found.end] == found.text
        assert set(found.before.split()) == {"كلمة"} and set(found.after.split()) == {"جديد"}
        assert found.before.endswith(" ") and 40 <= len(found.before) <= 48
        first = at(Severity.NOTE, "clitic", "m", Document(text, id="d"), 0, 3)
        assert (first.before, first.after) == ("", " قبل.")
        last = at(Severity.NOTE, "clitic", "m", Document(text, id="d"), len(text) - 4, len(text))
        assert (last.before, last.after) == ("سطر ", "")

    def test_unknown_kinds_are_refused(self):
        with pytest.raises(ValueError, match="unknown kind of finding 'clitics'"):
            Finding(Severity.NOTE, "clitics", "m")

    def test_order(self):
        kinds = ["characters", "clitic", "signature", "clitic"]
        severities = [Severity.NOTE, Severity.NOTE, Severity.ERROR, Severity.WARNING]
        found = in_order(
            Finding(s, k, str(n)) for n, (s, k) in enumerate(zip(severities, kinds, strict=True))
        )
        assert [f.message for f in found] == ["2", "3", "1", "0"]


class TestReport:
    @pytest.mark.parametrize(
        ("severities", "code", "strict"),
        [
            ([], 0, 0),
            ([Severity.NOTE] * 5, 0, 0),
            ([Severity.WARNING], 0, 1),
            ([Severity.ERROR, Severity.NOTE], 1, 1),
        ],
    )
    def test_exit_codes(self, severities: list[Severity], code: int, strict: int):
        made = report(*(finding(severity=s) for s in severities))
        assert (made.exit_code(), made.exit_code(strict=True)) == (code, strict)

    def test_unreadable_files_exit_as_other_commands_do(self):
        made = report(finding(), Finding(Severity.ERROR, "unreadable", "not JSON", document="a.jsonl"))
        assert made.exit_code() == 2

    def test_json(self):
        made = report(finding(), finding(severity=Severity.ERROR, kind="signature"), remarks=("a remark",))
        data = json.loads(made.to_json())
        assert data["counts"] == {"error": 1, "warning": 1, "note": 0}
        assert [f["kind"] for f in data["findings"]] == ["signature", "clitic"]
        placed = data["findings"][1]
        assert TEXT[placed["start"] : placed["end"]] == placed["text"] == "وبغداد"
        assert placed["severity"] == "warning" and placed["suggestion"] == "«بغداد», from 22 to 27"
        assert (
            data["labels"][0]["counts"] == {"train": 1200, "dev": 4} and data["drift"][0]["p_value"] == 0.001
        )
        assert data["sources"]["dev"] == "seeds:authored/dev" and data["format_version"] == 1
        assert "وبغداد" in made.to_json()

    def test_json_of_what_utf8_cannot_hold(self):
        text = report(finding(text="حزب\ud83d")).to_json()
        assert json.loads(text)["findings"][0]["text"] == "حزب\ud83d" and text.encode("utf-8")


class TestTable:
    def test_says_everything(self):
        shown = printed(report(finding(), remarks=("no model was run",)), width=220)
        assert KINDS["clitic"].title in shown and "no model was run" in shown
        assert "1,200" in shown and "visited" in shown and "LAW" not in shown
        assert "وبغداد" in shown and "«بغداد», from 22 to 27" in " ".join(shown.split())
        assert shown.rstrip().endswith("0 errors, 1 warning, 0 notes")

    def test_markup_and_control_characters_are_text(self):
        shown = printed(report(finding(text="[bold]\x1b[31mbغداد", message="[/red]", label="[x]")))
        assert "[bold]" in shown and "\x1b[31m" not in shown and "[/red]" in shown

    def test_blanks_at_edges_are_visible(self):
        assert "␣بغداد␣␣" in printed(report(finding(kind="edge", text=" بغداد  ")))

    def test_no_more_than_was_asked_for(self):
        shown = printed(report(*[finding()] * 7), width=220, shown=3)
        assert shown.count("from 22 to 27") == 3 and "… and 4 more" in shown

    @pytest.mark.parametrize("width", [60, 80, 200])
    def test_widths(self, width: int):
        lines = printed(report(finding()), width=width).splitlines()
        assert max(map(len, lines)) <= width + 8  # direction marks take no column

    def test_verdict(self):
        made = report(*[finding()] * 2, finding(severity=Severity.ERROR))
        assert verdict(made).plain == "1 error, 2 warnings, 0 notes"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.marked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "mark":
            self.marked.append(data)


def parsed(made: Report, **options: str) -> _Page:
    page = _Page()
    page.feed(to_html(made, **options))
    page.close()
    assert page.open == []
    return page


class TestPage:
    def test_every_field_is_escaped(self):
        hostile = finding(
            message=EVIL, suggestion=f"«{EVIL}»", text=EVIL, before=EVIL, after=EVIL, split=EVIL
        )
        page = to_html(report(hostile, remarks=(EVIL,)), title=EVIL)
        assert "<script" not in page and "<b>" not in page
        assert page.count("&lt;script&gt;") >= 12
        assert {tag for tag, _ in parsed(report(hostile, remarks=(EVIL,)), title=EVIL).tags}.isdisjoint(
            {"script", "b", "img", "link", "iframe"}
        )

    def test_nothing_is_fetched_or_run(self):
        page = to_html(report(finding()))
        assert "default-src 'none'" in page and "script-src" not in page
        assert not re.search(r'(?:src|href)="(?!#)', page) and "url(" not in page and "@import" not in page

    def test_arabic_runs_from_right_to_left(self):
        page = parsed(report(finding()))
        (quote,) = [attrs for tag, attrs in page.tags if tag == "blockquote"]
        assert quote == {"lang": "ar", "dir": "rtl"} and page.marked == ["وبغداد"]
        assert "«<bdi>بغداد</bdi>» is GPE" in to_html(report(finding()))
        latin = finding(text="Apple", before="", after=" Inc.")
        assert [a for t, a in parsed(report(latin)).tags if t == "blockquote"] == [{"dir": "auto"}]

    def test_links_lead_somewhere(self):
        page = parsed(report(finding(), finding(kind="edge"), finding(kind="characters")))
        ids = {attrs.get("id") for _, attrs in page.tags}
        links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
        assert len(links) == 3 and all(str(link)[1:] in ids for link in links)

    def test_long_lists_are_cut_and_say_so(self):
        page = to_html(report(*[finding()] * (SHOWN + 20)))
        assert page.count('<li class="finding') == SHOWN and "and 20 more" in page

    def test_filters_name_every_severity(self):
        page = to_html(report(finding()))
        assert all(f'id="show-{s}"' in page and f"#show-{s}:not(:checked)" in page for s in Severity)

    def test_nothing_found(self):
        page = to_html(report())
        assert "Nothing was found." in page and "0 errors" in page

    def test_what_utf8_cannot_hold(self):
        to_html(report(finding(text="حزب\ud83d\x00"))).encode("utf-8")

    def test_stable(self):
        assert to_html(report(finding())) == to_html(report(finding()))
