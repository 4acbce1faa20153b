"""`python -m isnad.training.embed MODEL NAME` puts a trained model into the package.

It gets graphs beside its weights, so that it runs with ONNX Runtime where torch is not installed. Without MODEL
the graphs of the embedded model of that name are written anew: needed when the code that traces them has changed.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer

from ..model.errors import IsnadError, ModelError
from ..model.inference import Extractor, load_torch
from ..model.modeling import IsnadModel
from ..model.store import EMBEDDED, resolve, write_manifest
from . import card, checkpoints
from .export_check import compare
from .export_embedded import write_weightless
from .extend import RECORD
from .lineage import write_lineage

# What both backends of an embedded model must find the same entities and relations in, and how closely.
_SAMPLE = (
    "التقى وزير الخارجية الإيراني عباس عراقجي في بيروت الرئيسَ جوزيف عون، ثم زار ضريح حسن نصرالله في ٣ حزيران ٢٠٢٥.\n\n"
    "وقال نائب الأمين العام لحزب الله نعيم قاسم إن «المقاومة باقية»، وإن عراقجي سيسافر إلى القاهرة للقاء بدر عبدالعاطي."
)
_TOLERANCE = 1e-3
# A version of the embedded model may not weigh more than this, in bytes.
SIZE_LIMIT = 60_000_000


def embed(source: Path, name: str, *, target: Path = EMBEDDED) -> Path:
    """Copy a trained model into the package with weights in bfloat16.

    Args:
        source: a folder written by `isnad train`.
        name: folder name inside `model/pretrained/`.
        target: where the package keeps its models.

    Raises:
        ModelError: `source` is no complete model, the result is over `SIZE_LIMIT`, or it cannot run without torch.
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
    try:
        write_weightless(model.float(), tokenizer, temporary)
        write_manifest(temporary)
        check(temporary)
    except ModelError:
        shutil.rmtree(temporary)
        raise
    checkpoints.publish(temporary, target / name)
    return target / name


def add_graphs(folder: Path) -> None:
    """Write the graphs of an embedded model anew and seal them; its other files stay as they are.

    Raises:
        ModelError: the folder holds no whole model, or the graphs do not find what the model finds.
    """
    write_weightless(*load_torch(resolve(folder)), folder)
    write_manifest(folder)
    check(folder)


def check(folder: Path) -> None:
    """Raise ModelError unless a model finds the same without torch; it must be sealed."""
    usual = Extractor.from_pretrained(folder, backend="torch")
    parity, _, _ = compare(usual, Extractor.from_pretrained(folder, backend="onnx"), [_SAMPLE])
    difference = max(parity.span_difference, parity.pair_difference)
    if not parity.same or difference > _TOLERANCE:
        raise ModelError(
            f"{folder}: without torch the model finds something else (probabilities differ by {difference:.4f}); "
            "accepted: graphs of this version of isnad, which training.embed writes"
        )


def main(arguments: list[str] | None = None) -> int:
    """Embed the model named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.training.embed", description=__doc__)
    parser.add_argument(
        "model", type=Path, nargs="?", help="folder written by isnad train, such as runs/final/model"
    )
    parser.add_argument("name", help="name of the embedded model, such as isnad-small")
    options = parser.parse_args(arguments)
    try:
        folder = EMBEDDED / options.name
        if options.model is None:
            add_graphs(folder)
        else:
            folder = embed(options.model, options.name)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in files}
    print(json.dumps({"folder": str(folder), "bytes": sizes, "total": sum(sizes.values())}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
