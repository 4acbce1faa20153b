"""`python -m isnad.training.embed MODEL NAME` puts a trained model into the package."""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer

from ..model.errors import IsnadError, ModelError
from ..model.modeling import IsnadModel
from ..model.store import EMBEDDED, resolve
from . import card, checkpoints
from .extend import RECORD
from .lineage import write_lineage

# A version of the embedded model may not weigh more than this, in bytes.
SIZE_LIMIT = 60_000_000


def embed(source: Path, name: str, *, target: Path = EMBEDDED) -> Path:
    """Copy a trained model into the package with weights in bfloat16.

    Args:
        source: a folder written by `isnad train`.
        name: folder name inside `model/pretrained/`.
        target: where the package keeps its models.

    Raises:
        ModelError: `source` is no complete model, or the result is over `SIZE_LIMIT`.
    """
    resolve(source)
    model = IsnadModel.from_pretrained(
        source, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    model.config.model_name = name
    temporary = target / (name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.to(dtype=torch.bfloat16).save_pretrained(temporary)  # type: ignore[call-arg]
    tokenizer.save_pretrained(temporary)
    for file in ("metrics.json", "training.yaml"):
        shutil.copyfile(source / file, temporary / file)
    if (source / RECORD).is_file():
        shutil.copyfile(source / RECORD, temporary / RECORD)
    write_lineage(source, temporary)
    card.write(temporary)
    size = sum(p.stat().st_size for p in temporary.iterdir())
    if size > SIZE_LIMIT:
        shutil.rmtree(temporary)
        raise ModelError(f"{source} takes {size:,} bytes in bfloat16; accepted: at most {SIZE_LIMIT:,}")
    checkpoints.publish(temporary, target / name)
    return target / name


def main(arguments: list[str] | None = None) -> int:
    """Embed the model named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.training.embed", description=__doc__)
    parser.add_argument("model", type=Path, help="folder written by isnad train, such as runs/final/model")
    parser.add_argument("name", help="name of the embedded model, such as isnad-small")
    options = parser.parse_args(arguments)
    try:
        folder = embed(options.model, options.name)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sizes = {p.name: p.stat().st_size for p in sorted(folder.iterdir())}
    print(json.dumps({"folder": str(folder), "bytes": sizes, "total": sum(sizes.values())}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
