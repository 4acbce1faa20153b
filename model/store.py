"""Where models live: the embedded one, folders, the hub; and the manifest that guards a folder's files."""

import hashlib
import json
import os
import re
from pathlib import Path

from .errors import ModelError

EMBEDDED = Path(__file__).parent / "pretrained"
DEFAULT_MODEL = "isnad-small"
MANIFEST = "manifest.json"
# What an export to ONNX consists of, beside config.json and tokenizer.json: its graphs and what it notes of itself.
GRAPHS = ("encode", "mentions", "relations", "coreference")
EXPORT = "export.json"
WEIGHTS = "model.safetensors"
# Where a model keeps graphs without weights, with an export.json of their own: they are those of model.safetensors.
WEIGHTLESS = "graphs"
# Of an export to OpenVINO: structure and weights of each graph.
IR_FILES = tuple(f"{name}{suffix}" for name in GRAPHS for suffix in (".xml", ".bin"))
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def embedded_models() -> list[str]:
    """Return the names of the models inside the package."""
    return sorted(p.parent.name for p in EMBEDDED.glob("*/config.json"))


def resolve(model: str | Path | None) -> Path:
    """Return the checked folder of a model: embedded by name (the default if None), local, or from the hub."""
    if model is None:
        model = DEFAULT_MODEL
    if str(model) in embedded_models():
        return verify(EMBEDDED / str(model))
    path = Path(model)
    try:
        found = path.is_dir()
    except OSError:  # a text passed for a name is longer than any path may be
        found = False
    if found:
        return verify(path)
    if isinstance(model, str) and _HUB_NAME.fullmatch(model) and not path.parent.is_dir():
        return _download(model)
    raise ModelError(
        f"no model at {str(model)[:200]!r}; accepted: a folder with config.json and model.safetensors, a hub name like "
        f"'owner/name', or an embedded model: {', '.join(embedded_models()) or 'none in this installation'}"
    )


def verify(folder: Path) -> Path:
    """Return `folder` if it holds a complete model whose files match its manifest, else raise ModelError."""
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder}: {name} is missing; accepted: a folder written by isnad train or save"
            )
    if not has_weights(folder) and not has_graphs(folder) and not has_ir(folder):
        other = [p.name for p in folder.glob("*.bin")]
        raise ModelError(
            f"{folder}: no weights in safetensors"
            + (f" (found {', '.join(other)}, which is not loaded)" if other else "")
        )
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{folder}/config.json is not a JSON object") from error
    if kind != "isnad":
        raise ModelError(
            f"{folder}: model_type is {kind!r}; accepted: 'isnad'. To fine-tune an encoder, name it in the "
            "training configuration under 'encoder'"
        )
    manifest = folder / MANIFEST
    if manifest.is_file():
        for name, digest in read_manifest(manifest).items():
            file = folder / name
            if not file.is_file() or sha256(file) != digest:
                raise ModelError(f"{file} is missing or differs from {MANIFEST}; get the model again")
    return folder


def has_weights(folder: Path) -> bool:
    """Whether a model folder holds weights for torch."""
    return any(folder.glob("*.safetensors"))


def has_graphs(folder: Path) -> bool:
    """Whether a model folder holds ONNX graphs: those of an export, or `has_weightless_graphs`."""
    return _graphs_in(folder) or has_weightless_graphs(folder)


def has_weightless_graphs(folder: Path) -> bool:
    """Whether a model folder holds ONNX graphs that take their weights from its `model.safetensors`."""
    return (folder / WEIGHTS).is_file() and _graphs_in(folder / WEIGHTLESS)


def _graphs_in(folder: Path) -> bool:
    return all((folder / f"{name}.onnx").is_file() for name in GRAPHS)


def has_ir(folder: Path) -> bool:
    """Whether a model folder holds the graphs of an export to OpenVINO."""
    return all((folder / name).is_file() for name in IR_FILES)


def read_manifest(path: Path) -> dict[str, str]:
    """Return the hashes by name that a manifest lists; ModelError if it is none, or names files elsewhere."""
    try:
        digests = json.loads(path.read_text(encoding="utf-8"))["sha256"]
        places = ("", f"{WEIGHTLESS}/")
        sound = all(
            any(name == place + Path(name).name for place in places) and isinstance(digest, str)
            for name, digest in digests.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        sound, digests = False, {}
    if not sound:
        raise ModelError(
            f'{path} is not a manifest; accepted: {{"sha256": {{file name: hash}}}}, as isnad train writes it'
        )
    return digests


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, *, names: tuple[str, ...] = ()) -> None:
    """Write the hashes of a model folder's files (all regular files, or `names`)."""
    found = (*folder.iterdir(), *folder.glob(f"{WEIGHTLESS}/*"))
    every = sorted(p.relative_to(folder).as_posix() for p in found if p.is_file())
    chosen = names or tuple(name for name in every if name != MANIFEST)
    content = json.dumps({"sha256": {name: sha256(folder / name) for name in chosen}}, indent=2)
    temporary = folder / (MANIFEST + ".tmp")
    temporary.write_text(content + "\n", encoding="utf-8")
    os.replace(temporary, folder / MANIFEST)


# What a model folder consists of: its manifest lists card and chart too. Nothing that could run.
_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model", "*.yaml", "*.md", "*.svg"]
_PATTERNS += [*(f"{place}{name}.onnx" for place in ("", f"{WEIGHTLESS}/") for name in GRAPHS), *IR_FILES]


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(name, allow_patterns=_PATTERNS)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"cannot fetch the model {name!r} from the hub: {reason}") from error
    return verify(Path(folder))
