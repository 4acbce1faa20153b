"""`isnad train --base`: new labels from a few sentences, the tables, and the refusal to forget."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from isnad.eval import forgetting as judged
from isnad.model.document import Document
from isnad.model.inference import Extractor
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.config import ConfigError, FinetuneConfig, LoraConfig
from isnad.training.data import write_documents
from isnad.training.finetune import save_model
from isnad.training.methods import apply_method, linear_layers, merge_adapters
from transformers import AutoTokenizer, BertConfig, BertModel
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]

SCHEMA = """
name: arms
extends: wojood
entities:
  - {name: WEAPON, en: Weapon or ammunition, ar: سلاح أو ذخيرة}
"""
WEAPONS = ("صواريخ كروز", "بنادق كلاشينكوف", "مُسيّرة انتحارية", "قنـابل عنقودية")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, articles: list[Document], schema: LabelSchema) -> Path:
    """Schema, 20 sentences in which weapons are marked, and old data for rehearsal and measurement."""
    place = tmp_path_factory.mktemp("cli-extend")
    (place / "arms.yaml").write_text(SCHEMA, encoding="utf-8")
    documents = []
    for n in range(20):
        weapon = WEAPONS[n % len(WEAPONS)]
        text = f"نقل الجيش و{weapon} إلى قاعدة قرب بغداد يوم {n} نيسان 🚀"
        at = text.index(weapon)
        documents.append(
            Document(text, (make_entity(text, at, at + len(weapon), "WEAPON", id="T1"),), id=f"s{n}")
        )
    write_documents(
        documents, place / "new.jsonl", format="jsonl", schema=LabelSchema.from_yaml(place / "arms.yaml")
    )
    for name, article in (("rehearse", articles[0]), ("measure", articles[1])):
        end = article.text.index("\n", 500)
        entities = tuple(replace(e, cluster=None) for e in article.entities if e.end <= end)
        ids = {e.id for e in entities}
        relations = tuple(r for r in article.relations if {r.head, r.tail} <= ids)
        short = Document(article.text[:end], entities, relations, id=article.id)
        write_documents([short], place / f"{name}.jsonl", format="jsonl", schema=schema)
    return place


@pytest.fixture
def command(folder: Path, tiny_model: Path) -> tuple[object, ...]:
    """The options of a run of seconds."""
    return (
        "train", "--base", tiny_model, "--data", folder / "new.jsonl", "--schema", folder / "arms.yaml",
        "--set", "tracker=none", "--set", "epochs=1", "--set", "extend.repeat=1",
        "--set", f"extend.rehearse=[{folder / 'rehearse.jsonl'}]",
        "--set", f"extend.measure=[{folder / 'measure.jsonl'}]",
    )  # fmt: skip


def test_new_labels_from_twenty_sentences(
    isnad: Command, command: tuple[object, ...], folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    result = isnad(*command, "-o", run, "--allow-forgetting", "--learning-curve")
    assert result.exit_code == 0, (result.stderr, result.exception)
    for part in (
        "'arms' extends tiny:", "new: WEAPON", "training: 16 WEAPON; development: 4 WEAPON (cut off the data",
        "annotated throughout: WEAPON; all other labels are unknown", "epochs 1, as set", "rehearsal 0.5: in 50 of 100",
        f"model written to {run / 'model'}; the tables as JSON to {run / 'forgetting.json'}",
        "learning curve: 4 of the new documents", "learning curve: 8 of the new documents",
    ):  # fmt: skip
        assert part in result.stderr, part
    for part in (
        "Old labels, before and after, on 1 documents",
        "PERS",
        "New data, 4 documents",
        "WEAPON",
        "Learning curve",
    ):
        assert part in result.stdout, part
    assert re.search(r"│ +16 │", result.stdout) and not list(run.glob("curve-*"))
    data = json.loads((run / "forgetting.json").read_text(encoding="utf-8"))
    assert data["allowed"] is True and data["new"]["WEAPON"]["support"] == 4 and data["old"]["PERS"]["change"]
    model = Extractor.from_pretrained(run / "model")
    assert model.schema == LabelSchema.from_yaml(folder / "arms.yaml")
    for e in model("نقل الجيش صواريخ كروز إلى نصرالله").entities:
        assert "نقل الجيش صواريخ كروز إلى نصرالله"[e.start : e.end] == e.text
    settings = yaml.safe_load((run / "model/training.yaml").read_text(encoding="utf-8"))
    assert settings["encoder"]["path"].endswith("tiny") and settings["epochs"] == 1


def test_a_forgotten_label_is_no_success(
    isnad: Command, command: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the random model of the tests finds is chance; here every label that it had right counts as lost."""
    monkeypatch.setattr(judged, "_reason", lambda change, before: "below 0.9" if change.support else "")
    result = isnad(*command, "-o", tmp_path / "run")
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: old labels lost more than chance explains: ")
    for part in (
        "(below 0.9)",
        "the model is whole".capitalize(),
        "--allow-forgetting",
        "extend.rehearsal=0.75",
        "distil.weight=4)",
    ):
        assert part in last
    data = json.loads((tmp_path / "run/forgetting.json").read_text(encoding="utf-8"))
    assert data["lost"] and data["allowed"] is False
    assert Extractor.from_pretrained(tmp_path / "run/model").schema.entity_labels[-1] == "WEAPON"
    assert "lost" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "extend.measure=[]"), "nothing would show what is forgotten; accepted"),
        (("--annotates", "WEPON"), "unknown label 'WEPON'; did you mean 'WEAPON'"),
        (("--method", "lora"), "the encoder (isnad-encoder) is recurrent and has no linear layers"),
        (("--method", "most"), "method is 'most'; accepted: full, head, lora"),
        (("--set", "extend.rehearsl=0.1"), "unknown key 'rehearsl'; did you mean 'rehearsal'?"),
        (("--set", "epochs.first=1"), "'epochs' is a single value"),
        (("--dev", "nothing.jsonl"), "no such file or folder"),
        (("-c", "sedes"), "did you mean 'seeds'?"),
    ],
)
def test_faults(
    isnad: Command,
    refused: Refused,
    command: tuple[object, ...],
    options: tuple[str, ...],
    message: str,
    tmp_path: Path,
) -> None:
    result = isnad(*command, "-o", tmp_path / "run", *options)
    assert result.exit_code == 2 and message in result.stderr, (result.stderr, result.exception)
    assert not (tmp_path / "run/model").exists()


def test_a_run_goes_on(isnad: Command, refused: Refused, command: tuple[object, ...], tmp_path: Path) -> None:
    options = (*command, "-o", tmp_path / "run", "--allow-forgetting")
    assert isnad(*options).exit_code == 0
    again = isnad(*options)
    assert again.exit_code == 2 and "pass --resume" in again.stderr
    longer = isnad(*options, "--resume", "--set", "epochs=2")
    assert longer.exit_code == 0, (longer.stderr, longer.exception)
    assert json.loads((tmp_path / "run/model/metrics.json").read_text(encoding="utf-8"))["epochs"] == 2


def test_options_that_need_a_base(isnad: Command, tiny_model: Path, folder: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "run")
    for options, message in (
        (("--data", "x", "-c", "seeds"), "--data goes with --base"),
        ((), "name a configuration with --config"),
        (("--base", tiny_model, "--system", "crf"), "only the joint model can be extended"),
        (("--base", tiny_model), "--base without --data"),
        (("--base", tiny_model, "--data", folder / "new.jsonl"), "--base without --schema"),
    ):
        result = isnad("train", *out, *options)
        assert result.exit_code == 2 and message in " ".join(
            re.sub("[│╭╰─╮╯]", " ", result.stderr).split()
        ), result.stderr


def test_a_head_alone_leaves_the_encoder(
    isnad: Command, command: tuple[object, ...], tiny_model: Path, tmp_path: Path
) -> None:
    result = isnad(*command, "-o", tmp_path / "run", "--method", "head", "--allow-forgetting")
    assert result.exit_code == 0, (result.stderr, result.exception)
    before, after = IsnadModel.from_pretrained(tiny_model), IsnadModel.from_pretrained(tmp_path / "run/model")
    kept = zip(before.encoder.parameters(), after.encoder.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in kept)
    assert not torch.equal(before.word_head.project.weight, after.word_head.project.weight)


class TestLora:
    @pytest.fixture
    def bert(self, tiny_model: Path, schema: LabelSchema) -> IsnadModel:
        """A joint model over a BERT of two layers."""
        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        torch.manual_seed(1)
        encoder = BertModel(
            BertConfig(
                vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                intermediate_size=24, max_position_embeddings=128,
            )
        )  # fmt: skip
        sizes = {"word_size": 16, "letter_size": 4, "span_size": 12, "pair_size": 16, "mention_size": 8}
        return IsnadModel.from_encoder(
            encoder, schema, max_pieces=96, overlap_pieces=16, attention_heads=2, **sizes
        )

    def test_factors_are_learned_and_merged(self, bert: IsnadModel):
        names = set(bert.state_dict())
        frozen = bert.encoder.encoder.layer[0].attention.self.query.weight.clone()
        apply_method(bert, FinetuneConfig(method="lora", lora=LoraConfig(rank=2)))
        trained = {n for n, p in bert.named_parameters() if p.requires_grad}
        inside = {n for n in trained if n.startswith("encoder.")}
        assert inside and all("lora_" in n for n in inside) and len(inside) == 2 * len(linear_layers_of(bert))
        assert any(n.startswith("span_head") for n in trained)
        with torch.no_grad():
            for name, parameter in bert.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.1)
        bert.eval()
        ids = torch.arange(2, 12)[None]
        before = bert.encoder(input_ids=ids).last_hidden_state
        merge_adapters(bert)
        torch.testing.assert_close(
            bert.encoder(input_ids=ids).last_hidden_state, before, rtol=1e-4, atol=1e-5
        )
        assert set(bert.state_dict()) == names and all(p.requires_grad for p in bert.parameters())
        assert not torch.equal(frozen, bert.encoder.encoder.layer[0].attention.self.query.weight)

    def test_a_run(
        self, isnad: Command, command: tuple[Any, ...], bert: IsnadModel, tiny_model: Path, tmp_path: Path
    ):
        """The saved model needs no peft, and what was frozen has moved by the factors only."""
        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        base = save_model(bert, tokenizer, FinetuneConfig(name="bert"), tmp_path / "bert", {})
        options = [base if o == tiny_model else o for o in command]
        result = isnad(
            *options, "-o", tmp_path / "run", "--method", "lora", "--allow-forgetting", "--set", "lora.rank=2"
        )
        assert result.exit_code == 0, (result.stderr, result.exception)
        before, after = IsnadModel.from_pretrained(base), IsnadModel.from_pretrained(tmp_path / "run/model")
        assert set(before.state_dict()) == set(after.state_dict())
        old, new = (m.encoder.encoder.layer[1].output.dense.weight for m in (before, after))
        assert int(torch.linalg.matrix_rank(new - old, atol=1e-6)) <= 2
        assert torch.equal(
            before.encoder.embeddings.word_embeddings.weight, after.encoder.embeddings.word_embeddings.weight
        )

    def test_a_recurrent_encoder_has_nothing_to_adapt(self, tiny_model: Path):
        with pytest.raises(ConfigError, match="accepted: 'head' or 'full'"):
            apply_method(IsnadModel.from_pretrained(tiny_model), FinetuneConfig(method="lora"))


def linear_layers_of(model: IsnadModel) -> list[str]:
    """The layers that LoRA adapted, from their factors."""
    found = {n.split(".lora_A")[0] for n, _ in model.named_parameters() if ".lora_A" in n}
    assert not linear_layers(model.encoder) or found
    return sorted(found)
