"""Streaming of raw text: plain or zstd-compressed files, one paragraph a line, blank line between documents."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

# The corpora are packed with `zstd --long=27`; the default reader refuses windows above 2^26.
_WINDOW_LOG = 27


def paragraphs(path: Path) -> Iterator[str]:
    """Yield the lines of one file without their newline; an empty string marks a document boundary."""
    if path.suffix == ".zst":
        import zstandard

        with path.open("rb") as raw:
            # A file cut to a size can end inside a character: that one becomes U+FFFD.
            reader = zstandard.ZstdDecompressor(max_window_size=2**_WINDOW_LOG).stream_reader(
                raw, read_across_frames=True
            )
            for line in io.TextIOWrapper(reader, encoding="utf-8", errors="replace"):
                yield line.rstrip("\n")
    else:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield line.rstrip("\n")


def mixture(sources: Sequence[tuple[Path, float]]) -> Iterator[str]:
    """Yield the paragraphs of several files, each cut to a fraction of its documents or repeated.

    Args:
        sources: pairs of a file and its weight. A weight w keeps whole documents evenly: floor(w) full
            passes, then one pass that keeps the fraction that is left (deterministic, spread over the file).
    """
    for path, weight in sources:
        for _ in range(int(weight)):
            yield from paragraphs(path)
            yield ""
        fraction = weight - int(weight)
        if fraction <= 0:
            continue
        due, keep = fraction, fraction >= 1
        for line in paragraphs(path):
            if keep:
                yield line
            if not line:
                due += fraction
                keep = due >= 1
                due -= keep
        yield ""
