"""`isnad extract` and what users do wrong: one sentence, exit code 2, nothing left behind, nothing overwritten."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

ROOT = Path(__file__).resolve().parents[1]
ARTICLES = sorted((ROOT / "seeds/articles").glob("*.txt"))
SHORT = "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي.\nثم سافر إلى بيروت للقاء حسن نصرالله."

Command = Callable[..., Result]
Refused = Callable[..., None]


class TestExtractFaults:
    @pytest.mark.parametrize(
        ("data", "place", "advice"),
        [
            (
                "بغداد\nبيروت".encode("cp1256"),
                "byte 0xc8 at offset 0 (line 1)",
                "iconv -f WINDOWS-1256 -t UTF-8",
            ),
            ("بغداد\n".encode() + b"\xed\xa0\x80", "byte 0xed at offset 11 (line 2)", "iconv"),
            ("بغداد".encode("utf-16"), "byte 0xff at offset 0 (line 1)", "iconv -f UTF-16 -t UTF-8"),
        ],
        ids=["windows-1256", "surrogate", "utf-16"],
    )
    def test_bytes_that_are_not_utf8(
        self, isnad: Command, refused: Refused, data: bytes, place: str, advice: str, tmp_path: Path
    ):
        # There is no model at all here: the fault is found before one is loaded.
        (tmp_path / "bad.txt").write_bytes(data)
        result = isnad("extract", "-m", tmp_path / "none", tmp_path / "bad.txt")
        refused(result, str(tmp_path / "bad.txt"), place, "is not UTF-8", advice)
        refused(isnad("extract", "-", stdin=data), "standard input: byte", advice)

    def test_missing_inputs(self, isnad: Command, refused: Refused, tmp_path: Path):
        refused(isnad("extract", tmp_path / "no.txt"), "no.txt: no such file or folder", "or -")
        refused(isnad("extract", tmp_path), "a folder without .txt files")
        result = isnad("extract")
        assert result.exit_code == 2 and "FILE" in result.stderr

    def test_missing_model(self, isnad: Command, refused: Refused, tmp_path: Path):
        refused(isnad("extract", ARTICLES[0], "-m", tmp_path), "config.json is missing")
        refused(isnad("extract", ARTICLES[0], "-m", tmp_path / "x"), "no model at", "model.safetensors")

    def test_altered_model(self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path):
        copy = shutil.copytree(tiny_model, tmp_path / "copy")
        with (copy / "model.safetensors").open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\x7f")
        for command in (
            ("extract", ARTICLES[0], "-m", copy),
            ("info", copy),
            ("eval", copy, "seeds:articles"),
        ):
            refused(isnad(*command), "model.safetensors is missing or differs from manifest.json")

    @pytest.mark.parametrize(
        ("threshold", "message"),
        [
            ("PRES=0.7", "unknown label 'PRES'; did you mean 'PERS'?"),
            ("1.5", "threshold 1.5 for"),
            ("PERS=nan", "threshold nan for PERS"),
            ("half", "--threshold 'half'; accepted: a probability such as 0.5, or LABEL=0.7"),
            ("PERS=", "--threshold 'PERS='"),
        ],
    )
    def test_thresholds(
        self, isnad: Command, refused: Refused, threshold: str, message: str, tiny_model: Path
    ):
        refused(isnad("extract", ARTICLES[0], "-m", tiny_model, "--threshold", threshold), message)
        refused(
            isnad("extract", ARTICLES[0], "-m", tiny_model, "--threshold", "0.5", "--threshold", threshold),
            message,
        )

    def test_outputs_that_do_not_fit(self, isnad: Command, refused: Refused, tmp_path: Path):
        refused(isnad("extract", ARTICLES[0], "-o", tmp_path), "tables are for the screen")
        refused(isnad("extract", ARTICLES[0], "-f", "csv", "-o", tmp_path / "a.html"), "does not go with")
        assert isnad("extract", ARTICLES[0], "-f", "xml").exit_code == 2

    def test_unwritable_outputs(self, isnad: Command, refused: Refused, tmp_path: Path):
        (tmp_path / "file").touch()
        model = tmp_path / "none"
        # Below a file nobody may make a folder, not even root; /proc is read-only for everybody.
        places = [tmp_path / "file" / "out"] + ([Path("/proc/isnad")] if Path("/proc/self").exists() else [])
        if os.geteuid() != 0:
            (tmp_path / "locked").mkdir(mode=0o500)
            places.append(tmp_path / "locked" / "out")
        for place in places:
            for options in (("-f", "brat", "-o", place), ("-o", place / "page.html")):
                refused(isnad("extract", ARTICLES[0], "-m", model, *options), "cannot write to", "-o")

    def test_inputs_are_never_overwritten(
        self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path
    ):
        text, gold = tmp_path / "a.txt", tmp_path / "a.ann"
        text.write_text(SHORT, encoding="utf-8")
        for overwrite in ((), ("--overwrite",)):
            arguments = ("extract", "-m", tiny_model, tmp_path, "-f", "brat", "-o", tmp_path, *overwrite)
            refused(isnad(*arguments), "is an input or its annotation", "-o")
        assert not gold.exists() and text.read_text(encoding="utf-8") == SHORT

    def test_outputs_are_overwritten_on_request_only(
        self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path
    ):
        page = tmp_path / "page.html"
        page.write_text("mine", encoding="utf-8")
        command = ("extract", "-m", tiny_model, ARTICLES[0], "-o", page)
        refused(isnad(*command), "page.html already there", "--overwrite")
        assert page.read_text(encoding="utf-8") == "mine"
        assert isnad(*command, "--overwrite").exit_code == 0
        assert page.read_text(encoding="utf-8").startswith("<!")

    @pytest.mark.parametrize("output", ["out", "new/page.html", "new/all.jsonl"])
    def test_nothing_is_left_of_a_run_that_fails(
        self, isnad: Command, output: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        from isnad.model.inference import Extractor

        whole = Extractor.pipe

        def breaking(self: Extractor, texts: object, **options: object) -> object:
            yield next(whole(self, texts, **options))
            raise KeyboardInterrupt

        monkeypatch.setattr(Extractor, "pipe", breaking)
        options = ("-f", "brat") if output == "out" else ()
        result = isnad("extract", "-m", tiny_model, *ARTICLES[:2], "-o", tmp_path / output, *options)
        assert result.exit_code == 130 and result.stderr == "error: interrupted\n"
        assert list(tmp_path.iterdir()) == []
