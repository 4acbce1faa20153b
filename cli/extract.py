"""`isnad extract`: files, folders and standard input in, documents out."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.errors import ConfigError, DataError
from ..model.schema import LabelSchema
from .options import ExtractFormat
from .output import Counter, Output, opened, print_documents, write_documents
from .support import progress, quiet, refuse_existing, say

if TYPE_CHECKING:
    from ..model.inference import Extractor

STDIN = "-"
# Texts that are scored together: enough to fill the cores, few enough that results begin to flow soon.
_BATCH = 8


@dataclass(frozen=True)
class TextSource:
    """One text to read.

    Attributes:
        id: names the document: the file's name without suffix, below the folder that was given.
        path: its file; None for standard input.
    """

    id: str
    path: Path | None

    @property
    def flows(self) -> bool:
        """Whether the text can be read only once: standard input, a named pipe, `<(command)` of the shell."""
        return self.path is None or not self.path.is_file()

    def read(self) -> str:
        """Return the text, exactly as in the file: line ends and a byte order mark (U+FEFF) are kept.

        Only so are the offsets of the results offsets into the file.

        Raises:
            DataError: the bytes are not UTF-8.
        """
        data = sys.stdin.buffer.read() if self.path is None else self.path.read_bytes()
        return decode(data, "standard input" if self.path is None else str(self.path))


def decode(data: bytes, where: str) -> str:
    """Return UTF-8 bytes as text, or raise DataError with the place of the fault and the way out."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        guess = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "WINDOWS-1256"
        file = where if where != "standard input" else "FILE"
        raise DataError(
            f"byte {data[error.start]:#04x} at offset {error.start} (line {line}) is not UTF-8",
            path=where,
            accepted=f"UTF-8 text; convert with: iconv -f {guess} -t UTF-8 '{file}' > converted.txt",
        ) from error


def find_texts(names: Sequence[str]) -> list[TextSource]:
    """Return the texts that files, folders (all .txt in them and below) and `-` name, with unique ids."""
    found: list[TextSource] = []
    for name in names:
        path = Path(name)
        if name == STDIN:
            if any(source.path is None for source in found):
                raise DataError("standard input ('-') is named twice", accepted="once")
            found.append(TextSource("stdin", None))
        elif path.is_dir():
            files = sorted(
                p
                for p in path.rglob("*.txt")
                if p.is_file() and not any(part.startswith(".") for part in p.relative_to(path).parts)
            )
            if not files:
                raise DataError(
                    "a folder without .txt files", path=name, accepted="folders of .txt, or files"
                )
            found += [TextSource(p.relative_to(path).with_suffix("").as_posix(), p) for p in files]
        elif path.exists():
            found.append(TextSource(path.stem, path))
        else:
            raise DataError("no such file or folder", path=name, accepted="files, folders of .txt, or -")
    return _unique(found)


def _unique(sources: Iterable[TextSource]) -> list[TextSource]:
    taken: set[str] = set()
    named = []
    for source in sources:
        id_, n = source.id, 1
        while id_ in taken:
            n += 1
            id_ = f"{source.id}-{n}"
        taken.add(id_)
        named.append(TextSource(id_, source.path))
    return named


def extract_texts(
    names: Sequence[str],
    output: Output,
    *,
    model: str | None = None,
    thresholds: Sequence[str] = (),
    overwrite: bool = False,
    device: str = "cpu",
) -> None:
    """Extract from everything that is named and write it; files appear when all of them are complete."""
    sources = find_texts(names)
    targets = output.targets([source.id for source in sources])
    _spare_inputs(sources, targets)
    refuse_existing(targets, overwrite=overwrite)
    if output.format is ExtractFormat.BRAT and output.path is None and len(sources) > 1:
        raise ConfigError(
            f"brat is a pair of files a text and there are {len(sources)} texts; name a folder with -o"
        )
    if sys.stdin is None and STDIN in names:
        raise DataError("standard input is closed", accepted="text on standard input, or files")
    # Every text is read once before the model is loaded, so that a faulty one costs no waiting.
    texts = {s.id: s.read() for s in sources if s.flows}
    for source in sources:
        if source.id not in texts:
            source.read()
    stream = ((s.id, texts[s.id] if s.id in texts else s.read()) for s in sources)
    if output.path is None:
        extractor = load_extractor(model, thresholds, device)
        documents = extractor.pipe(stream, batch_size=_BATCH)
        shown = progress(documents, total=len(sources), what="extracting", shown=not sys.stdout.isatty())
        print_documents(shown, output.format, extractor.schema, len(sources))
        return
    with opened(output) as place:  # an unwritable one costs no waiting either
        extractor = load_extractor(model, thresholds, device)
        documents = extractor.pipe(stream, batch_size=_BATCH)
        counted = Counter(progress(documents, total=len(sources), what="extracting"))
        write_documents(counted, output, place, extractor.schema, len(sources))
    what = targets[0] if len(targets) == 1 else f"{len(targets)} files in {output.path}"
    say(f"wrote {what}: {counted}")


def load_extractor(model: str | None, thresholds: Sequence[str] = (), device: str = "cpu") -> "Extractor":
    """Load a model with the thresholds that were typed: `0.5` for all labels, `PERS=0.7` for one."""
    chosen = chosen_thresholds(model, thresholds)
    quiet()
    from ..model.inference import Extractor

    return Extractor.from_pretrained(model, thresholds=chosen, device=device, precision="auto")


def chosen_thresholds(model: str | None, values: Sequence[str]) -> float | dict[str, float] | None:
    """Return what was typed as `Extractor.from_pretrained` takes it; the labels of the model are read if needed."""
    general, special = _parse_thresholds(values)
    if general is None or not special:
        return special or general
    from ..model.store import resolve

    config = json.loads((resolve(model) / "config.json").read_text(encoding="utf-8"))
    schema = LabelSchema.from_dict(config["labels"])
    return dict.fromkeys((*schema.entity_labels, *schema.relation_labels), general) | special


def _parse_thresholds(values: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    general, special = None, {}
    for value in values:
        label, equals, number = value.rpartition("=")
        try:
            probability = float(number)
        except ValueError:
            raise ConfigError(
                f"--threshold {value!r}; accepted: a probability such as 0.5, or LABEL=0.7"
            ) from None
        if equals:
            special[label.strip()] = probability
        else:
            general = probability
    return general, special


def _spare_inputs(sources: Sequence[TextSource], targets: Sequence[Path]) -> None:
    """Refuse to write over a text that is read, or over the annotation beside it, whatever the options say."""
    inputs = {os.path.realpath(s.path) for s in sources if s.path is not None}
    inputs |= {os.path.splitext(path)[0] + ".ann" for path in inputs}
    for target in targets:
        if os.path.realpath(target) in inputs:
            raise ConfigError(
                f"{target} is an input or its annotation and would be overwritten; choose another -o"
            )
