"""What the tests of all engines share: documents in every kind of file, and what the local engine makes of them."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_runs import Output, deadly_predictor
from isnad.model.engines import driver, run
from typer.testing import Result

# Diacritics, kashida, line ends inside, emoji, presentation forms, both kinds of digits, a joined name, a mark of
# byte order inside a text, nothing at all.
TEXTS = [
    "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي.",
    'ثم سافرَ إلى بيـــروت للقاء حسن نصرالله ٢٠٢٠.\r\nوعاد، "قائلاً": نعم؛',
    "زار ﷴ بغداد 🇮🇶 ولقاآني 15 قائداً",
    "",
    "\ufeffوصل وزير الخارجية الإيراني إلى دمشق ثم بيروت",
    "قال حسن نصر الله إن إسرائيل قتلت قاسم سليماني في العراق",
]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of every kind, with faults among the documents; several units of three records in most."""
    folder = tmp_path_factory.mktemp("inputs")
    rows = [{"id": f"خبر-{n}", "text": text} for n, text in enumerate(TEXTS)]
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    bad = [b"{", b'{"text": null}', b'{"text": "\xff"}', json.dumps({"title": "x"}).encode()]
    unnamed = [json.dumps({"text": text}).encode() for text in TEXTS]
    (folder / "news.jsonl").write_bytes(
        b"\xef\xbb\xbf" + b"\r\n".join([*lines, b"", *bad, b"", b"", *unnamed])
    )
    packed = [json.dumps({"id": f"gz{n}", "text": TEXTS[n % 3]}).encode() for n in range(20)]
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(b"\n".join(packed)))
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("n", "text"), *enumerate(TEXTS), ("too", "many", "cells"), (7, "لا شيء في بيروت")])
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(
        pyarrow.Table.from_pylist([{"id": n, "text": text} for n, text in enumerate([*TEXTS, None])]),
        folder / "rows.parquet",
        row_group_size=2,
    )
    (folder / "texts/أخبار").mkdir(parents=True)
    for n, text in enumerate(TEXTS):
        (folder / f"texts/أخبار/{n}.txt").write_bytes(text.encode())
    (folder / "texts/bad.txt").write_bytes(b"\xff\xfe")
    names = ("news.jsonl", "packed.jsonl.gz", "table.csv", "rows.parquet", "texts")
    return [folder / name for name in names]


@pytest.fixture(scope="session")
def locally(
    isnad: Callable[..., Result],
    tiny_model: Path,
    inputs: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Output]:
    """What the local engine finds in the inputs, by format."""
    made: dict[str, Output] = {}

    def find(format: str) -> Output:
        if format not in made:
            out = tmp_path_factory.mktemp("local") / format
            result = isnad("extract", *inputs, "-m", tiny_model, "-o", out, "-f", format)
            assert result.exit_code == 3, result.output
            made[format] = Output(out)
            assert len(made[format].errors) == 7
            assert made[format].manifest[-1]["counts"]["relations"] > 5
        return made[format]

    return find


@pytest.fixture
def mapped(inputs: list[Path], tiny_model: Path) -> Callable[..., Output]:
    """Runs an engine on the inputs: `mapped("ray", folder, format="jsonl")`."""

    def call(engine: str, folder: Path, **options: Any) -> Output:
        options = {"part_size": 3, "model": tiny_model, **options}
        counts = run(options.pop("names", inputs), folder, engine=engine, **options)
        output = Output(folder)
        assert output.manifest[-1].get("counts") == dict(counts)
        return output

    return call


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], Path]:
    """Has workers killed that are about to extract from a text with `DEADLY`: so often as the number says.

    Returns the folder of what is left of the number.
    """

    def arm(deaths: int) -> Path:
        folder = tmp_path / "deaths"
        folder.mkdir()
        for n in range(deaths):
            (folder / str(n)).touch()
        monkeypatch.setattr(driver, "Predictor", deadly_predictor(folder))
        return folder

    return arm
