"""Lines of files, plain or compressed, with the offsets from which reading can go on."""

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Self

from ..errors import ConfigError

# Bytes of a line, a cell or a text file. A file that lacks line ends must not fill the memory.
LONGEST = 64 << 20
_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"


class LongLine(ValueError):
    """A line is longer than `LONGEST`; it has been passed over."""


class CorruptFile(ValueError):
    """Nothing more can be read of a compressed file."""


class ByteLines:
    """The lines of a file that is plain, `.gz` or `.zst`.

    Args:
        path: the file.
        offset, line: bytes (after decompression) and lines to pass over.

    Attributes:
        offset, line: bytes and lines read so far.
    """

    def __init__(self, path: Path, offset: int = 0, line: int = 0) -> None:
        self.offset, self.line = offset, line
        self._raw = path.open("rb")
        self._plain = path.suffix.lower() not in (".gz", ".zst")
        try:
            self._file = _decompressed(self._raw, path.suffix.lower())
            self._pass(offset)
        except BaseException:
            self._raw.close()
            raise

    def read(self) -> bytes | None:
        """Return the next line with its end, None after the last.

        Raises:
            LongLine: the line was passed over; reading can go on.
            CorruptFile: the compressed data are damaged or end too soon.
        """
        first = self.offset == 0
        line = self._read(LONGEST)
        if not line:
            return None
        self.line += 1
        if len(line) == LONGEST and not line.endswith(b"\n"):
            while (more := self._read(_CHUNK)) and not more.endswith(b"\n"):
                pass
            raise LongLine(f"a line is longer than {LONGEST >> 20} MiB; accepted: one document a line")
        return line.removeprefix(_BOM) if first else line

    def done(self) -> int:
        """Return the bytes of the file itself that have been read, for a progress bar."""
        return self.offset if self._plain else self._raw.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def _read(self, limit: int) -> bytes:
        try:
            line = self._file.readline(limit)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CorruptFile(f"damaged or cut off: {error}") from error
        self.offset += len(line)
        return line

    def _pass(self, offset: int) -> None:
        if self._plain:
            self._file.seek(offset)
            return
        left = offset
        while left and (data := self._file.read(min(left, _CHUNK))):
            left -= len(data)


def _decompressed(raw: BinaryIO, suffix: str) -> Any:
    if suffix == ".gz":
        return gzip.GzipFile(fileobj=raw)
    return io.BufferedReader(_Zstandard(raw), _CHUNK) if suffix == ".zst" else raw


class _Zstandard(io.RawIOBase):
    """Frames of Zstandard as one stream; unlike the library's own reader it does not end quietly in a cut frame."""

    def __init__(self, raw: BinaryIO) -> None:
        try:
            import zstandard
        except ImportError as error:
            raise ConfigError(
                "files .zst need zstandard, which is not installed; write: pip install zstandard"
            ) from error
        self._raw, self._library = raw, zstandard
        self._frame: Any = None
        self._input, self._output = b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._output and self._fill():
            pass
        part, self._output = self._output[: len(buffer)], self._output[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def _fill(self) -> bool:
        """Decompress some more; False at the end of the file."""
        self._input = self._input or self._raw.read(1 << 16)
        if not self._input:
            if self._frame is not None:
                raise EOFError("the last frame is not complete")
            return False
        if self._frame is None:
            self._frame = self._library.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
        try:
            self._output = self._frame.decompress(self._input)
        except self._library.ZstdError as error:
            raise EOFError(str(error)) from error
        self._input = self._frame.unused_data if self._frame.eof else b""
        if self._frame.eof:
            self._frame = None
        return True
