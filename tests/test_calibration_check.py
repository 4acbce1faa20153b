"""Cross-fitted calibration without a leak, and the stored results of a model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from isnad.model.document import Document
from isnad.model.errors import ConfigError
from isnad.model.schema import LabelSchema
from isnad.model.scores import WindowScores
from isnad.model.text import make_entity
from isnad.model.windows import Window


@pytest.fixture(scope="module")
def parts(tiny_model: Path) -> tuple:
    """A fresh remembering backend, configuration and tokenizer of the tiny model."""
    import torch
    from isnad.model.backends.torch_backend import TorchBackend
    from isnad.model.modeling import IsnadModel
    from isnad.training.calibration_check import Remembering
    from transformers import AutoTokenizer

    model = IsnadModel.from_pretrained(
        tiny_model, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, local_files_only=True)
    return Remembering(TorchBackend(model, tokenizer.pad_token_id or 0)), model.config, tokenizer


def perfect(document: Document, keep: Sequence[str]) -> Document:
    """Return a document that has exactly the entities with the ids in `keep`, and no relations."""
    return replace(
        document,
        entities=tuple(replace(e, cluster=None) for e in document.entities if e.id in keep),
        relations=(),
        clusters=(),
    )


class TestCrossFitting:
    def test_a_document_has_no_part_in_its_own_calibration(
        self, parts: tuple, articles: list[Document]
    ) -> None:
        from isnad.training.calibration_check import cross_fitted, predict

        # What the model finds in each article is taken for gold, so that there is something to calibrate.
        found = predict(*parts, articles).returned
        gold = [perfect(f, [e.id for e in f.entities[:: n + 2]]) for n, f in enumerate(found)]
        gold = [replace(g, id=a.id) for g, a in zip(gold, articles, strict=True)]
        without = [*gold[:2], perfect(gold[2], []), *gold[3:]]
        first, second = (cross_fitted(*parts, documents, folds=5) for documents in (gold, without))
        assert [d.id for d in first.returned] == [d.id for d in articles]
        assert first.candidates[2] == second.candidates[2] and first.returned[2] == second.returned[2]
        for n in (0, 1, 3, 4):
            assert first.candidates[n] != second.candidates[n]

    def test_folds_are_fitted_as_training_fits(self, parts: tuple, articles: list[Document]) -> None:
        from isnad.model.windows import WindowMaker
        from isnad.training.calibrate import Observations, observe
        from isnad.training.calibration_check import refitted

        backend, config, tokenizer = parts
        schema = config.schema()
        maker = WindowMaker(tokenizer, max_pieces=config.max_pieces, overlap_pieces=config.overlap_pieces)
        options = {"cross_sentence": config.cross_sentence}
        whole = refitted(config, schema, *observe(backend, maker, schema, articles, **options))
        single = [observe(backend, maker, schema, [a], **options) for a in articles]
        spans, links = (Observations.joined([seen[n] for seen in single]) for n in (0, 1))
        joined = refitted(config, schema, spans, links)
        assert joined.calibration == whole.calibration
        assert joined.entity_thresholds == whole.entity_thresholds
        assert config.calibration is None, "the configuration that was given stays as it is"

    def test_candidates_go_down_to_the_floor(self, parts: tuple, articles: list[Document]) -> None:
        from isnad.training.calibration_check import FLOOR, predict

        found = predict(*parts, articles[:2])
        for returned, candidates in zip(found.returned, found.candidates, strict=True):
            assert {e.text for e in returned.entities} <= {e.text for e in candidates.entities}
            assert all(e.score >= FLOOR for e in candidates.entities)
        assert sum(len(d.entities) for d in found.candidates) > sum(len(d.entities) for d in found.returned)

    def test_a_window_is_scored_once(self, parts: tuple, articles: list[Document]) -> None:
        from isnad.model.windows import WindowMaker
        from isnad.training.calibration_check import Remembering

        asked: list[int] = []

        class Counting:
            def score(self, windows: Sequence[Window]) -> list[WindowScores]:
                asked.append(len(windows))
                return parts[0].score(windows)

            def coreference(self, *arrays: np.ndarray) -> np.ndarray:
                return parts[0].coreference(*arrays)

        _, config, tokenizer = parts
        windows = list(WindowMaker(tokenizer, max_pieces=config.max_pieces).windows(articles[0].text))
        backend = Remembering(Counting())
        once, twice = backend.score([*windows, windows[0]]), backend.score(windows)
        assert asked == [len(windows)]
        assert all(a is b for a, b in zip(once, twice, strict=False)) and once[-1] is once[0]

    def test_folds_must_fit_the_documents(self, parts: tuple, articles: list[Document]) -> None:
        from isnad.training.calibration_check import cross_fitted

        for folds in (1, 6):
            with pytest.raises(ConfigError, match=f"{folds} folds of 5 documents"):
                cross_fitted(*parts, articles, folds=folds)


class TestModelResults:
    def test_the_command_stores_everything(
        self, tiny_model: Path, articles: list[Document], schema: LabelSchema, tmp_path: Path, capsys
    ) -> None:
        from isnad.eval.evaluate import evaluate
        from isnad.eval.given_entities import GivenEntityExtractor
        from isnad.eval.model_results import main
        from isnad.eval.stored import data_hash, load_result
        from isnad.model.inference import Extractor
        from isnad.model.store import sha256
        from isnad.training.data import write_documents

        data, output = tmp_path / "gold.jsonl", tmp_path / "out" / "tiny_dev.json"
        write_documents(articles[:3], data, format="jsonl", schema=schema)
        assert main([str(tiny_model), "-o", str(output), "--data", str(data), "--folds", "3"]) == 0
        assert f"wrote {output}" in capsys.readouterr().out
        content, evaluation = load_result(output)
        extractor = Extractor.from_pretrained(tiny_model)
        found = list(extractor.pipe((a.id, a.text) for a in articles[:3]))
        given = list(GivenEntityExtractor.from_pretrained(tiny_model).pipe(articles[:3]))
        expected = evaluate(articles[:3], found, schema, given=given)
        assert evaluation == expected
        assert content["data_hash"] == data_hash(articles[:3])
        assert content["command"].endswith(f"--data {data} --folds 3")
        details = content["details"]
        assert details["files"]["model.safetensors"] == sha256(tiny_model / "model.safetensors")
        assert sum(s["spans"]["fp"] for s in details["sets"].values()) == evaluation.entities.micro.fp
        found = details["calibration"]["in_sample"]["spans"]
        assert found["returned"]["n"] == evaluation.entities.micro.predicted
        assert found["candidates"]["n"] > found["returned"]["n"]
        assert set(details["calibration"]["cross_fitted"]) == {"spans", "relations"}

    def test_faults_end_in_a_sentence(self, tmp_path: Path, capsys) -> None:
        from isnad.eval.model_results import main

        assert main([str(tmp_path / "absent"), "-o", str(tmp_path / "x.json")]) == 2
        assert "error: no model at" in capsys.readouterr().err
        assert not (tmp_path / "x.json").exists()

    def test_sets_are_the_documents_whose_ids_begin_alike(self, schema: LabelSchema) -> None:
        from isnad.eval.evaluate import evaluate
        from isnad.eval.model_results import sets

        def beirut(id_: str, label: str = "GPE") -> Document:
            return Document("بيروت", (make_entity("بيروت", 0, 5, label, id="T1"),), id=id_)

        gold = [beirut("alaqat-001"), beirut("alaqat-002"), beirut("siyasa-001")]
        found = [beirut("alaqat-001"), beirut("alaqat-002", "LOC"), beirut("siyasa-001")]
        parts = sets(evaluate(gold, found, schema))
        assert {name: (s["documents"], s["spans"]["f1"]) for name, s in parts.items()} == {
            "alaqat": (2, 0.5),
            "siyasa": (1, 1.0),
        }
