"""`isnad export`: write graphs that run without torch, and say how they compare with the model they come from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ..model.errors import ConfigError, DataError, ModelError, nearest
from ..model.store import EXPORT, has_weights, resolve
from .info import CARD, front_matter
from .support import console, progress, quiet, refuse_existing, require, say, whole_folder

if TYPE_CHECKING:
    from ..model.document import Document
    from ..model.inference import Extractor
    from ..model.schema import LabelSchema

# The backend that runs a format has its name; beside torch and onnx, with which all graphs are made.
FORMATS = {"onnx": "onnxruntime", "openvino": "openvino"}
# What the backends of one model may differ by: in probability, and in points of F1 for 8 bits.
_TOLERANCE, _F1_POINTS = 1e-3, 0.2
_SEEDS, _ARTICLES, _DEVELOPMENT = "seeds:", "seeds:articles", "seeds:authored/dev"
_ROUNDS = 3


def export_model(
    model: str,
    *,
    to: str = "onnx",
    output: Path | None = None,
    int8: bool = False,
    bf16: bool = False,
    calibrate: Sequence[str] = (),
    check: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Export a model, compare the result with it, and write the folder whole or not at all.

    Args:
        model: folder, hub name or embedded model.
        to: one of `FORMATS`.
        output: the folder; by default named after the model, in the current one.
        int8: whether to quantise.
        bf16: whether to compute in bf16 where the processor can; for OpenVINO.
        calibrate: sources of documents whose texts set the scales of activations; for OpenVINO with `int8`.
        check: sources of annotated documents to compare on.
        overwrite: whether `output` may be there already.

    Raises:
        ConfigError: an unknown format, missing packages, or an output that may not be written.
        ModelError: a model that cannot be exported, or an export that does not compute what the model does.
    """
    if to not in FORMATS:
        raise ConfigError(f"unknown format {to!r}; {nearest(to, FORMATS)}")
    if bf16 and to != "openvino":
        raise ConfigError(f"--bf16 with --to {to}; accepted: --to openvino, whose runtime computes in bf16")
    if calibrate and not (int8 and to == "openvino"):
        raise ConfigError(
            f"--calibrate with --to {to}{' --int8' * int8}; accepted: --to openvino --int8, where activations are "
            "rounded on scales set beforehand"
        )
    require("torch", "transformers", "onnx", FORMATS[to], task=f"isnad export --to {to}")
    source = resolve(model)
    if not has_weights(source):
        raise ModelError(f"{source} is an export itself; accepted: the folder that it was exported from")
    kind = Kind(to, int8=int8, bf16=bf16, calibrate=tuple(calibrate))
    target = output or Path(f"{source.name}-{kind}")
    if target.resolve() == source.resolve():
        raise ConfigError(f"{target} is the model itself; choose another folder with -o")
    if not target.is_dir() or any(target.iterdir()):
        refuse_existing([target], overwrite=overwrite)
    quiet()
    from ..model.inference import Extractor
    from ..training.export import write_notes

    reference = Extractor.from_pretrained(source, backend="torch")
    data = _documents(check, reference.schema, exact=kind.exact)
    with whole_folder(target) as folder:
        kind.write(source, folder)
        exported = Extractor.from_pretrained(folder, backend=to)
        found = _measure(reference, exported, data, to)
        _judge(found, kind)
        notes = json.loads((folder / EXPORT).read_text(encoding="utf-8"))
        licence = front_matter(source / CARD).get("license")
        write_notes(folder, notes | {"license": licence} | found)
        size = sum(file.stat().st_size for file in folder.iterdir())
    _report(found, to)
    say(f"wrote {target}: {kind.precision}, {size / 1e6:.1f} MB")


@dataclass(frozen=True)
class Kind:
    """What is written.

    Attributes:
        to: one of `FORMATS`.
        int8: weights of 8 bits.
        bf16: computation in bf16 where the processor can.
        calibrate: sources of texts to set the scales of activations on.
    """

    to: str
    int8: bool = False
    bf16: bool = False
    calibrate: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "-".join(
            [self.to, *["int8"] * self.int8, *["static"] * bool(self.calibrate), *["bf16"] * self.bf16]
        )

    @property
    def exact(self) -> bool:
        """Whether it is to compute what the model computes."""
        return not self.int8 and not self.bf16

    @property
    def precision(self) -> str:
        """What is said of it."""
        int8 = "int8, scales of activations set beforehand" if self.calibrate else "int8"
        return (int8 if self.int8 else "fp32") + (", computed in bf16 where possible" if self.bf16 else "")

    def write(self, source: Path, target: Path) -> None:
        """Write the graphs; errors as in `export_onnx`."""
        precision = "int8" if self.int8 else "fp32"
        if self.to == "onnx":
            from ..training.export import export_onnx

            export_onnx(source, target, precision=precision)
            return
        from ..model.backends.openvino_backend import computes_bf16
        from ..training.export_openvino import export_openvino

        texts = _texts(self.calibrate)
        export_openvino(source, target, precision=precision, bf16=self.bf16, calibration=texts)
        if self.bf16 and not computes_bf16():
            say("warning: this processor has no bf16; what is compared here is computed in fp32")


def _texts(names: Sequence[str]) -> list[str]:
    """Return texts: of `seeds:…`, or of what `isnad extract` reads."""
    from ..model.stream import Keys, Mark, find_sources, read
    from ..training.data.sources import load_texts

    files = [name for name in names if not name.startswith(_SEEDS)]
    texts = [text for name in names if name.startswith(_SEEDS) for text in load_texts(name)]
    sources = find_sources(files, Keys()) if files else []
    for source in sources:
        source.check()
    return texts + [record.text for record in read(sources, Mark()) if not record.error]


def _documents(
    check: Sequence[str], schema: "LabelSchema", *, exact: bool
) -> dict[str, tuple[list["Document"], bool]]:
    """Return documents by source, and whether they are annotated with the model's labels."""
    from ..training.data.sources import load_schema, load_source

    if check:
        return {name: (load_source(name, schema), True) for name in check}
    own = load_schema("wojood")
    try:
        names = (_ARTICLES,) if exact else (_ARTICLES, _DEVELOPMENT)
        return {name: (load_source(name, own), own.hash == schema.hash) for name in names}
    except DataError as error:
        say(f"warning: nothing to compare on ({error.found}); name annotated documents with --check")
        return {}


def _measure(
    reference: "Extractor", exported: "Extractor", data: Mapping[str, tuple[list["Document"], bool]], to: str
) -> dict[str, Any]:
    """Return `parity` by source and `speed`, as plain data."""
    from ..training.compute import machine
    from ..training.export_check import compare, scores, speeds

    parity: dict[str, Any] = {}
    for name, (gold, annotated) in progress(data.items(), total=len(data), what="comparing"):
        same, ours, theirs = compare(reference, exported, [document.text for document in gold])
        parity[name] = same.to_dict()
        if annotated:
            found = {"torch": ours, to: theirs}
            parity[name]["f1"] = {
                backend: scores(gold, documents, reference.schema) for backend, documents in found.items()
            }
    if not data:
        return {"parity": {}, "speed": {}}
    name, (gold, _) = next(iter(data.items()))
    both = {"torch": reference, to: exported}
    timed = speeds(both, [document.text for document in gold], rounds=_ROUNDS)
    return {"parity": parity, "speed": {"data": name, "rounds": _ROUNDS, "machine": machine(), **timed}}


def _judge(found: Mapping[str, Any], kind: Kind) -> None:
    """Refuse an fp32 export that computes something else; warn of one of fewer bits that loses too much."""
    for name, parity in found["parity"].items():
        worst = max(parity["span_difference"], parity["pair_difference"])
        if kind.exact and worst > _TOLERANCE:
            raise ModelError(
                f"on {name} the export's probabilities differ by up to {worst:.2g} from the model's; accepted: "
                f"{_TOLERANCE:g}. Nothing was written; please report the encoder's architecture"
            )
        for what in ("entities", "relations") if "f1" in parity else ():
            loss = 100 * (parity["f1"]["torch"][what] - parity["f1"][kind.to][what])
            if loss > _F1_POINTS:
                say(f"warning: on {name} the export loses {loss:.2f} points of F1 on {what}")


def _report(found: Mapping[str, Any], to: str) -> None:
    if not found["parity"]:
        return
    screen = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in found["parity"]:
        table.add_column(Text(name), justify="right", overflow="fold")
    columns = [_facts(parity, to) for parity in found["parity"].values()]
    for label in columns[0]:
        table.add_row(label, *(column[label] for column in columns))
    screen.print(table)
    speed = found["speed"]
    ours, theirs = speed["torch"], speed[to]
    threads = speed["machine"]["threads"]
    rates = ", ".join(
        f"{name} {rate['words_per_second']:,.0f} ({rate['slowest']:,.0f} to {rate['fastest']:,.0f})"
        for name, rate in (("torch", ours), (to, theirs))
    )
    screen.print(
        f"\nwords a second on {speed['data']}, {threads} thread{'' if threads == 1 else 's'}, median of {_ROUNDS} "
        f"rounds: {rates}; {theirs['words_per_second'] / ours['words_per_second']:.2f} times",
        highlight=False,
        markup=False,
    )


def _facts(parity: Mapping[str, Any], to: str) -> dict[str, str]:
    """Return what is said of one source, by label."""
    kinds = (("entities", "entity"), ("relations", "relation"), ("clusters", "cluster"))
    facts = {}
    for label, kind in kinds:
        n = parity[f"{kind}_changes"]
        facts[label] = f"{parity[label]:,}, " + (f"{n} found by one backend only" if n else "the same")
    for label, key in (("span", "span_difference"), ("pair", "pair_difference")):
        facts[f"largest difference of a {label}'s probability"] = f"{parity[key]:.1e}"
    for label, kind in (("entity", "entities"), ("relation", "relations")):
        f1 = parity.get("f1")
        facts[f"{label} F1, torch → {to}"] = (
            " → ".join(f"{100 * f1[backend][kind]:.2f}" for backend in ("torch", to)) if f1 else "no gold"
        )
    return facts
