"""`isnad select` on real articles: what it writes, what it says, what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

from isnad.training.active import FLOOR
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]


LINES = """فاز المنتخب بالمباراة النهائية أمام جمهور كبير في الملعب
هطلت أمطار غزيرة على السواحل وتوقفت حركة السير ساعات
أعلن البنك المركزي رفع سعر الفائدة نصف نقطة مئوية"""


class TestCommand:
    ARTICLES = Path(__file__).resolve().parents[2] / "seeds/articles"

    def test_json_lines_with_reasons(self, isnad: Command, tiny_model: Path, tmp_path: Path) -> None:
        out = tmp_path / "new/chosen.jsonl"
        for _ in range(2):
            result = isnad("select", self.ARTICLES, "-m", tiny_model, "-n", 6, "-o", out, "--overwrite")
            assert result.exit_code == 0, result.stderr
            rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
            assert len(rows) == 6 == len({row["id"] for row in rows})
        for row in rows:
            text = (self.ARTICLES / f"{row['source']}.txt").read_bytes().decode()
            assert text[row["start"] : row["end"]] == row["text"]
            assert row["reason"]["by"] == "uncertainty" and row["score"] > 0
            assert row["reason"]["decisions"][0]["wrong"] >= FLOOR
        assert "looked at" in result.stderr and "wrong decisions expected a word" in result.stderr
        again = isnad(
            "select", self.ARTICLES, "-m", tiny_model, "-n", 6, "-o", tmp_path / "b.jsonl", "--known", out
        )
        assert again.exit_code == 0, again.stderr
        second = [json.loads(line)["text"] for line in (tmp_path / "b.jsonl").read_text("utf-8").splitlines()]
        assert not {row["text"] for row in rows} & set(second)

    def test_annotated_documents_are_known(self, isnad: Command, refused: Refused, tiny_model: Path) -> None:
        result = isnad(
            *("select", self.ARTICLES, "-m", tiny_model, "-n", 3, "--by", "diversity"),
            *("--known", self.ARTICLES, "--schema", "wojood"),
        )
        refused(result, "nothing to choose from", "annotated already")

    def test_plain_text_and_table(self, isnad: Command, tiny_model: Path, tmp_path: Path) -> None:
        options = ("-m", tiny_model, "-n", 3, "--by", "diversity")
        result = isnad("select", self.ARTICLES, *options, "-o", tmp_path / "a.txt")
        assert result.exit_code == 0 and result.stdout == ""
        assert len((tmp_path / "a.txt").read_text(encoding="utf-8").splitlines()) == 3
        shown = isnad("select", self.ARTICLES, *options)
        assert "worth annotating (3)" in shown.stdout and "unlike the others" in shown.stdout

    def test_standard_input(self, isnad: Command, tiny_model: Path) -> None:
        result = isnad("select", "-", "-m", tiny_model, "-n", 2, "--by", "diversity", stdin=LINES.encode())
        assert result.exit_code == 0, result.stderr
        assert "3 texts" in result.stderr

    def test_pre_annotated(self, isnad: Command, tiny_model: Path, tmp_path: Path) -> None:
        out = tmp_path / "tasks.json"
        result = isnad(
            "select",
            self.ARTICLES,
            "-m",
            tiny_model,
            "-n",
            4,
            "-o",
            out,
            "--to",
            "label-studio",
            "--labels",
            "PERS,GPE",
        )
        assert result.exit_code == 0, result.stderr
        tasks = json.loads(out.read_text(encoding="utf-8"))
        assert len(tasks) == 4 and all(t["predictions"][0]["model_version"] == "tiny" for t in tasks)
        assert "none of them checked" in result.stderr

    def test_refusals(self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path) -> None:
        def run(*options: object) -> Result:
            return isnad("select", self.ARTICLES, "-m", tiny_model, *options)

        refused(run("-o", tmp_path / "a.csv"), ".jsonl", ".txt", "--to")
        refused(run("--to", "brat"), "name them with -o")
        refused(run("--to", "labelstudio", "-o", tmp_path / "a"), "did you mean 'label-studio'")
        refused(run("--labels", "WEAPON"), "--example 'WEAPON=")
        source = tmp_path / "a.jsonl"
        source.write_text('{"text": "نص قصير"}\n', encoding="utf-8")
        refused(isnad("select", source, "-m", tiny_model, "-o", source), "is an input")
        (tmp_path / "there.jsonl").touch()
        refused(run("-o", tmp_path / "there.jsonl"), "already there")
