"""`isnad data check` as users meet it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]

SOUND = "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي."
SOUND_ANN = "T1\tPERS 6 19\tإسماعيل قاآني\nT2\tGPE 23 28\tبغداد\nT3\tORG 34 46\tالحشد الشعبي\n"
TURNED = "R1\tvisited Arg1:T2 Arg2:T1\n"


def pair(folder: Path, name: str, text: str = SOUND, ann: str = SOUND_ANN) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
    (folder / f"{name}.ann").write_text(ann, encoding="utf-8", newline="")
    return folder


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return pair(tmp_path / "sound", "a")


def found(result: Result) -> list[tuple[str, str]]:
    return [(f["severity"], f["kind"]) for f in json.loads(result.stdout)["findings"]]


class TestCheck:
    def test_sound_data(self, isnad: Command, sound: Path):
        result = isnad("data", "check", sound, "--no-model", "--format", "json")
        assert result.exit_code == 0, result.output
        # Three mentions are few, whatever else is right.
        assert {kind for _, kind in found(result)} == {"few_examples"}

    def test_table(self, isnad: Command, sound: Path):
        result = isnad("data", "check", sound, "--no-model")
        assert result.exit_code == 0 and "Labels with few examples" in result.stdout
        assert "0 errors, 3 warnings, 1 note" in result.stdout and result.stderr == ""

    def test_strict_counts_warnings(self, isnad: Command, sound: Path):
        assert isnad("data", "check", sound, "--no-model", "--strict").exit_code == 1

    def test_broken_signatures_do_not_stop_it(self, isnad: Command, tmp_path: Path):
        data = pair(tmp_path / "in", "a", ann=SOUND_ANN + TURNED)
        result = isnad("data", "check", data, "--no-model", "-f", "json")
        assert result.exit_code == 1 and ("error", "signature") in found(result)

    def test_faulty_files_are_listed_and_the_others_checked(self, isnad: Command, tmp_path: Path):
        data = pair(tmp_path / "in", "a", ann=SOUND_ANN + TURNED)
        pair(data, "b", ann="T1\tPRES 6 19\tإسماعيل قاآني\n")
        result = isnad("data", "check", data, "--no-model", "-f", "json")
        assert result.exit_code == 2
        assert found(result)[:2] == [("error", "unreadable"), ("error", "signature")]
        assert "did you mean 'PERS'?" in json.loads(result.stdout)["findings"][0]["suggestion"]

    def test_only_faulty_files(self, isnad: Command, tmp_path: Path):
        path = tmp_path / "a.jsonl"
        path.write_text("{broken\n", encoding="utf-8")
        result = isnad("data", "check", path, "--no-model")
        assert result.exit_code == 2 and "Faults of the files" in result.stdout and "1 error" in result.stdout

    def test_leakage(self, isnad: Command, sound: Path, tmp_path: Path):
        result = isnad(
            "data", "check", sound, "--dev", pair(tmp_path / "dev", "z"), "--no-model", "-f", "json"
        )
        assert result.exit_code == 1 and ("error", "leakage") in found(result)
        data = json.loads(result.stdout)
        assert data["sources"]["dev"].endswith("dev") and data["totals"]["dev"]["entities"] == 3

    def test_proclitics_with_the_evidence_of_the_seeds(self, isnad: Command, tmp_path: Path):
        data = pair(tmp_path / "in", "a", "زار وبغداد أمس.", "T1\tGPE 4 10\tوبغداد\n")
        result = isnad("data", "check", data, "--no-model", "-f", "json")
        (clitic,) = [f for f in json.loads(result.stdout)["findings"] if f["kind"] == "clitic"]
        assert clitic["suggestion"] == "«بغداد», from 5 to 10" and clitic["severity"] == "warning"

    def test_the_embedded_model_finds_what_is_missing(self, isnad: Command, tmp_path: Path):
        data = pair(
            tmp_path / "in", "a", ann=SOUND_ANN.replace("T2\tGPE 23 28\tبغداد\n", "T4\tGPE 23 28\tبغداد\n")
        )
        text = (
            "زار الرئيس الأميركي دونالد ترامب العاصمة القطرية الدوحة يوم الأربعاء والتقى أمير قطر في بغداد."
        )
        pair(data, "b", text, f"T1\tPERS {text.index('دونالد')} {text.index('دونالد') + 12}\tدونالد ترامب\n")
        result = isnad("data", "check", data, "--format", "json")
        assert result.exit_code == 0, result.output
        data_found = json.loads(result.stdout)
        missing = {f["text"] for f in data_found["findings"] if f["kind"] == "suspected_missing"}
        assert missing & {"الدوحة", "قطر", "بغداد"} and "دونالد ترامب" not in missing
        assert any("isnad-small" in remark for remark in data_found["remarks"])

    def test_another_schema_that_the_model_does_not_know(
        self, isnad: Command, tmp_path: Path, tiny_model: Path
    ):
        schema = tmp_path / "weapons.yaml"
        schema.write_text("name: weapons\nentities:\n  - name: WEAPON\n", encoding="utf-8")
        data = pair(tmp_path / "in", "a", "أطلق صاروخ فاتح أمس.", "T1\tWEAPON 5 15\tصاروخ فاتح\n")
        result = isnad(
            "data", "check", data, "--schema", schema, "--model", tiny_model, "--window", 24, "-f", "json"
        )
        assert result.exit_code == 0, result.output
        remarks = json.loads(result.stdout)["remarks"]
        assert any("it knows no label of the data (WEAPON)" in r for r in remarks)
        assert any("24 a window" in r for r in remarks)


class TestOutput:
    @pytest.mark.parametrize(("name", "begins"), [("r.json", "{"), ("r.html", "<!doctype html>")])
    def test_the_suffix_names_the_format(
        self, isnad: Command, sound: Path, tmp_path: Path, name: str, begins: str
    ):
        target = tmp_path / "new" / name
        result = isnad("data", "check", sound, "--no-model", "-o", target)
        assert result.exit_code == 0 and result.stdout == ""
        assert f"wrote {target}: 0 errors, 3 warnings, 1 note" in result.stderr.replace("\n", "")
        assert target.read_text(encoding="utf-8").startswith(begins)
        assert [p.name for p in target.parent.iterdir()] == [name]

    def test_errors_are_written_and_exit(self, isnad: Command, tmp_path: Path):
        data = pair(tmp_path / "in", "a", ann=SOUND_ANN + TURNED)
        assert isnad("data", "check", data, "--no-model", "-o", tmp_path / "r.html").exit_code == 1
        assert "Broken relation signatures" in (tmp_path / "r.html").read_text(encoding="utf-8")

    def test_html_on_standard_output(self, isnad: Command, sound: Path):
        result = isnad("data", "check", sound, "--no-model", "-f", "html")
        assert result.stdout.startswith("<!doctype html>") and result.stdout.rstrip().endswith("</html>")

    def test_an_existing_report_is_kept(self, isnad: Command, refused: Refused, sound: Path, tmp_path: Path):
        target = tmp_path / "r.json"
        target.write_text("mine", encoding="utf-8")
        refused(isnad("data", "check", sound, "--no-model", "-o", target), "already there", "--overwrite")
        assert target.read_text(encoding="utf-8") == "mine"
        assert isnad("data", "check", sound, "--no-model", "-o", target, "--overwrite").exit_code == 0

    def test_the_data_is_never_overwritten(self, isnad: Command, refused: Refused, tmp_path: Path):
        path = tmp_path / "a.json"
        path.write_text("[]", encoding="utf-8")
        refused(isnad("data", "check", path, "--no-model", "-o", path, "--overwrite"), "is the data")
        assert path.read_text(encoding="utf-8") == "[]"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["-o", "r.txt"], "accepted: a file *.json or *.html"),
            (["-o", "r.html", "-f", "json"], "does not go with --format json"),
            (["-o", "r.html", "-f", "table"], "tables are for the screen"),
        ],
    )
    def test_formats_that_do_not_fit(
        self, isnad: Command, refused: Refused, sound: Path, options: list[str], message: str
    ):
        refused(isnad("data", "check", sound, "--no-model", *options), message)


class TestTyping:
    def test_help(self, isnad: Command):
        result = isnad("data", "check", "--help")
        assert result.exit_code == 0
        assert "Examples:" in result.stdout and "isnad data check" in result.stdout
        assert "check" in isnad("data", "--help").stdout and "data" in isnad("--help").stdout

    def test_unknown_data(self, isnad: Command, refused: Refused):
        refused(isnad("data", "check", "nowhere", "--no-model"), "no such file or folder", "seeds:")
        refused(
            isnad("data", "check", "seeds:authored/tran", "--no-model"), "did you mean 'seeds:authored/train'"
        )

    def test_unknown_model_and_schema(self, isnad: Command, refused: Refused, sound: Path):
        refused(isnad("data", "check", sound, "--model", "nobody"), "no model at 'nobody'")
        refused(isnad("data", "check", sound, "--schema", "wojod", "--no-model"), "wojood")

    def test_a_model_and_none(self, isnad: Command, sound: Path):
        result = isnad("data", "check", sound, "--model", "isnad-small", "--no-model")
        assert result.exit_code == 2 and "exclude each other" in result.stderr
