"""Fixtures that several test files share: the schema, real articles, and a tiny model that takes no training."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

# Before transformers is imported: no test may reach for the hub, nor colour what it captures.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("NO_COLOR", "1")
# What is compared is computed alike on processors with and without bf16.
os.environ.setdefault("ISNAD_PRECISION", "fp32")
if "PYTEST_XDIST_WORKER" in os.environ:
    # As many workers as cores: more threads in each would only wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from isnad.model.document import Document
from isnad.model.schema import LabelSchema

if TYPE_CHECKING:
    from isnad.model.windows import WindowMaker

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch on one thread: tiny models gain nothing by more."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def schema() -> LabelSchema:
    """The schema that the gold texts are annotated with."""
    return LabelSchema.from_yaml(ROOT / "configs/schemas/wojood.yaml")


@pytest.fixture(scope="session")
def articles(schema: LabelSchema) -> list[Document]:
    """The five articles with their gold annotation."""
    from isnad.training.data.seeds import load_articles

    return load_articles(schema)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory, articles: list[Document]) -> Path:
    """Folder of an encoder of random weights and of a tokenizer with the letters and common words of the articles.

    The same in every session: nothing is trained, as the tokenizer's trainer breaks ties at random.
    """
    from collections import Counter

    import torch
    from isnad.model.encoder import IsnadEncoderConfig, IsnadEncoderModel, char_table
    from isnad.training.pretrain.tokenizer import build_tokenizer, tokenizer_of

    cut = build_tokenizer()
    counts: Counter[str] = Counter()
    for document in articles:
        folded = cut.normalizer.normalize_str(document.text)
        counts.update(word for word, _ in cut.pre_tokenizer.pre_tokenize_str(folded))
    letters = sorted({letter for word in counts for letter in word})
    common = sorted(counts, key=lambda word: (-counts[word], word))[:300]
    tokenizer = tokenizer_of([*letters, *(f"##{letter}" for letter in letters), *common])
    table = char_table(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer)))))
    config = IsnadEncoderConfig(
        vocab_size=len(tokenizer),
        embedding_size=16,
        char_vocab_size=len(table.alphabet) + 1,
        char_embedding_size=8,
        char_filters=8,
        recurrent_size=12,
        hidden_size=24,
        num_hidden_layers=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = IsnadEncoderModel(config)
    encoder.set_characters(table)
    folder = tmp_path_factory.mktemp("models") / "tiny-encoder"
    encoder.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_encoder: Path, schema: LabelSchema) -> Path:
    """Folder of a joint model of random weights that finds (random) entities, relations and clusters.

    Fresh heads call everything improbable; here their biases are raised so that the whole path from text to
    document has something to carry. What it finds means nothing.
    """
    import torch
    from isnad.model.modeling import IsnadModel
    from isnad.training.config import FinetuneConfig
    from isnad.training.finetune import save_model
    from transformers import AutoModel, AutoTokenizer

    sizes = {"word_size": 16, "letter_size": 4, "span_size": 12, "pair_size": 16, "mention_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = AutoModel.from_pretrained(tiny_encoder, local_files_only=True)
        with torch.no_grad():
            # Fresh embeddings are so small that every word looks alike.
            for name, parameter in encoder.named_parameters():
                if "embed" in name:
                    parameter.mul_(30)
        model = IsnadModel.from_encoder(
            encoder,
            schema,
            max_pieces=96,
            overlap_pieces=16,
            model_name="tiny",
            attention_heads=2,
            **sizes,
        )
        with torch.no_grad():
            first, last, inside, _, _ = model.span_head.parts.weight.chunk(5)
            first.normal_(std=1.5), last.normal_(std=1.5), inside.zero_()
            model.span_head.width.weight[:2], model.span_head.width.weight[2:] = -14.0, -40.0
            model.relation_head.output.weight.normal_(std=3.0)
            model.relation_head.output.bias.fill_(-1.0)
            model.coreference_head.load_state_dict(
                {k: v * 4 for k, v in model.coreference_head.state_dict().items()}
            )
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder, local_files_only=True)
    config = FinetuneConfig(name="tiny")
    return save_model(model, tokenizer, config, tiny_encoder.parent / "tiny", {"dev": {"span_f1": 0.0}})


@pytest.fixture(scope="session")
def maker(tiny_encoder: Path) -> "WindowMaker":
    """Cuts texts into windows of at most 96 pieces of the tiny encoder's tokenizer."""
    from isnad.model.windows import WindowMaker
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder, local_files_only=True)
    return WindowMaker(tokenizer, max_pieces=96, overlap_pieces=16)


@pytest.fixture(scope="session")
def json_lines() -> Callable[..., Path]:
    """Writes records as JSON lines, strings as they are: `json_lines(path, {"text": "…"}, "{")`."""

    def write(path: Path, *records: object) -> Path:
        rows = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def isnad() -> Callable[..., Result]:
    """Runs the command line in this process: `isnad("extract", path, stdin=b"…")`."""
    from isnad.cli import app

    def run(*arguments: object, stdin: bytes | str = b"") -> Result:
        # Some library sets COLUMNS for the rest of the process; what is printed to a file does not hang on it.
        runner = CliRunner(env={"COLUMNS": None})
        return runner.invoke(app, [str(a) for a in arguments], input=stdin, prog_name="isnad")

    return run


@pytest.fixture(scope="session")
def refused() -> Callable[..., None]:
    """Checks that a run of `isnad` ended in one sentence that says all parts: exit code 2, no traceback."""

    def check(result: Result, *parts: str) -> None:
        assert result.exit_code == 2, (result.output, result.exception)
        assert result.stdout == ""
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
        for part in parts:
            assert part in result.stderr, result.stderr

    return check
