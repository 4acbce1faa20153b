"""Lengths against a model's window, and gold that no prediction of the model can match."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....model.backends.light import load_tokenizer
from ....model.schema import LabelSchema
from ....model.store import DEFAULT_MODEL, resolve
from ....model.windows import Window, WindowMaker
from ...examples import Unreachable, build_examples
from .findings import Finding, Severity, at
from .part import View


@dataclass(frozen=True)
class Measure:
    """How long texts are for a model.

    Attributes:
        maker: cuts texts into windows.
        pieces: word pieces that a window holds.
        model: name of the model whose tokenizer cuts the pieces.
    """

    maker: WindowMaker
    pieces: int
    model: str

    @classmethod
    def of(cls, model: str | Path | None = None, *, window: int | None = None) -> "Measure":
        """Load the tokenizer of a model, without its weights.

        Args:
            model: as in `Extractor.from_pretrained`; the embedded model if absent.
            window: pieces of a window; None for the model's own.

        Raises:
            ModelError: there is no such model.
        """
        folder = resolve(model)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tokenizer = load_tokenizer(folder)
        pieces = window or int(config.get("max_pieces", 256))
        overlap = int(config.get("overlap_pieces", 64))
        name = str(model or DEFAULT_MODEL)
        return cls(WindowMaker(tokenizer, max_pieces=pieces, overlap_pieces=overlap), pieces, name)


def window_findings(
    views: Sequence[View],
    schema: LabelSchema,
    measure: Measure,
    *,
    known: Collection[tuple[str, int, int]] = (),
) -> Iterator[Finding]:
    """Yield paragraphs that are longer than a window, and entities and relations that cannot be predicted.

    Args:
        views: documents of one split.
        schema: their labels.
        measure: the model's window.
        known: (document, start, end) of spans that were reported as misaligned; they are not reported again.
    """
    for view in views:
        recording = _Recording(measure.maker)
        unreachable = Unreachable()
        # The examples themselves are not wanted, only what they cannot hold.
        for _ in build_examples(view.document, recording, schema, unreachable=unreachable):
            pass
        yield from _long(view, recording.windows_made, measure)
        yield from _entities(view, unreachable, known)
        yield from _relations(view, unreachable, measure)


class _Recording(WindowMaker):
    """A maker that keeps what it has made, so that texts are cut into pieces once."""

    def __init__(self, maker: WindowMaker) -> None:
        self._maker = maker
        self.windows_made: list[Window] = []

    def windows(self, text: str) -> Iterator[Window]:
        """Yield the windows of a text and keep them."""
        for window in self._maker.windows(text):
            self.windows_made.append(window)
            yield window


def _long(view: View, windows: Sequence[Window], measure: Measure) -> Iterator[Finding]:
    """Yield one note for each paragraph that more than one window reads."""
    for line in view.lines:
        own = [w for w in windows if w.words and line.start <= w.words[0][0] < line.end]
        if len(own) > 1:
            message = (
                f"{len(line.words)} words are read in {len(own)} windows of {measure.pieces} pieces; "
                "relations across them cannot be predicted"
            )
            advice = "break the paragraph, if the text allows it"
            place = (line.start, min(line.end, line.start + 80))
            yield at(
                Severity.NOTE,
                "long_text",
                message,
                view.document,
                *place,
                split=view.split,
                suggestion=advice,
            )


def _entities(
    view: View, unreachable: Unreachable, known: Collection[tuple[str, int, int]]
) -> Iterator[Finding]:
    for id_, start, end, label, why in unreachable.entities:
        if (id_, start, end) in known:
            continue
        message = f"{label} cannot be predicted: {why}"
        place = (start, end)
        yield at(
            Severity.WARNING, "unreachable", message, view.document, *place, split=view.split, label=label
        )


def _relations(view: View, unreachable: Unreachable, measure: Measure) -> Iterator[Finding]:
    by_id = view.document.by_id()
    for _, head, label, tail, why in unreachable.relations:
        if why.startswith("an end cannot"):
            continue  # the end is reported
        a, b = by_id[head], by_id[tail]
        apart = "\n" in view.document.text[min(a.end, b.end) : max(a.start, b.start)]
        reason = "its ends stand in different paragraphs" if apart else f"its ends are too far apart: {why}"
        message = f"«{a.name or a.text}» {label} «{b.name or b.text}» cannot be predicted: {reason}"
        yield at(
            Severity.WARNING,
            "unreachable",
            message,
            view.document,
            a.start,
            a.end,
            split=view.split,
            label=label,
            suggestion=f"link mentions that stand within one paragraph and {measure.pieces} pieces",
        )
