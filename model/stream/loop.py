"""The loop of a run: records in, parts out, each entered into the manifest when it is complete."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from ..attempts import BATCH_SIZE, attempt, describe
from ..batching import BATCH_CHARACTERS, batches
from ..document import Document
from ..errors import ConfigError, DataError, ModelError
from .journal import Journal
from .parts import Part
from .records import Record
from .sources import Source, read

if TYPE_CHECKING:
    from ..inference import Extractor

Counts = Counter[str]

# Characters that end a part before it has its number of records: a collection of books is resumable too.
_PART_CHARACTERS = 50_000_000
# So many documents in a row that fail in extraction are no bad documents but a broken machine.
_HOPELESS = 200


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes:
        counts: of this start: documents, errors, words and so on.
        done: bytes of the input that have been read, those of earlier starts included.
        total: bytes of the input; None if there is a folder among the sources.
    """

    counts: Counts = field(default_factory=Counter)
    done: int = 0
    total: int | None = None


def run(
    extractor: "Extractor",
    sources: Sequence[Source],
    journal: Journal,
    *,
    format: str,
    part_size: int,
    max_errors: int | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> Counts:
    """Extract from all that is left of the input and write it in parts.

    Parts do not depend on where a run was interrupted: each begins with a new batch, and their borders are counted
    in records, faulty ones included.

    Args:
        extractor: a loaded model.
        sources: the input.
        journal: of the run; what it has entered is not read again.
        format: jsonl, parquet or csv.
        part_size: records of a part.
        max_errors: stop when more records than this are at fault, those of earlier starts included.
        watch: told of progress after every batch.

    Returns:
        Counts over the whole run: documents, errors, entities, relations, clusters, words, characters.

    Raises:
        ConfigError: more than `max_errors` are at fault; complete parts stay, and the run can go on.
        ModelError: extraction fails on everything.
    """
    if part_size < 1:
        raise ConfigError(f"a part of {part_size} documents; accepted: 1 or more")
    run_ = _Run(extractor, sources, journal, format, part_size, max_errors, watch)
    if not journal.complete:
        while run_.part():
            pass
        journal.finish()
    return Counter(journal.counts)


class _Run:
    def __init__(
        self,
        extractor: "Extractor",
        sources: Sequence[Source],
        journal: Journal,
        format: str,
        part_size: int,
        max_errors: int | None,
        watch: Callable[[Progress], None] | None,
    ) -> None:
        self._extractor, self._journal, self._format = extractor, journal, format
        self._part_size, self._max_errors, self._watch = part_size, max_errors, watch
        self._stream = read(sources, journal.mark)
        sizes = [source.size for source in sources]
        self._before = [sum(size or 0 for size in sizes[:n]) for n in range(len(sizes) + 1)]
        self._progress = Progress(total=None if None in sizes else self._before[-1])
        self._failed = 0

    def part(self) -> bool:
        """Write one part; False if there is nothing left to read."""
        first = next(self._stream, None)
        if first is None:
            return False
        counts: Counts = Counter(dict.fromkeys(("documents", "errors", "entities", "relations"), 0))
        part, last = Part(self._journal.folder, self._journal.parts, self._format), first
        try:
            records = _limited(chain([first], self._stream), self._part_size)
            for batch in batches(
                records, size=BATCH_SIZE, characters=BATCH_CHARACTERS, length=lambda r: len(r.text)
            ):
                self._batch(batch, part, counts)
                last = batch[-1]
            files = part.publish()
        except BaseException:
            part.abort()
            raise
        self._journal.commit(files, counts, last.mark)
        return True

    def _batch(self, batch: list[Record], part: Part, counts: Counts) -> None:
        before = counts.copy()
        found = attempt(self._extractor, ((r.id, r.text) for r in batch if not r.error))
        for record in batch:
            if record.error:
                self._fail(record, record.error, part, counts)
                continue
            result = next(found)
            if isinstance(result, Exception):
                self._failed += 1
                self._fail(record, describe(result), part, counts)
                if self._failed >= _HOPELESS:
                    raise ModelError(
                        f"extraction failed on {self._failed} documents in a row, lastly with {describe(result)}; "
                        "when the cause is gone the run can go on"
                    ) from result
                continue
            self._failed = 0
            self._add(record, result, part, counts)
        self._tell(batch[-1], counts - before)

    def _add(self, record: Record, document: Document, part: Part, counts: Counts) -> None:
        try:
            part.add(document)
        except DataError as error:
            self._fail(record, describe(error), part, counts)
            return
        counts.update(
            documents=1,
            entities=len(document.entities),
            relations=len(document.relations),
            clusters=len(document.clusters),
            words=len(document.text.split()),
            characters=len(document.text),
        )

    def _fail(self, record: Record, error: str, part: Part, counts: Counts) -> None:
        part.fail(record, error)
        counts["errors"] += 1
        total = counts["errors"] + self._journal.counts.get("errors", 0)
        if self._max_errors is not None and total > self._max_errors:
            raise ConfigError(
                f"{total} bad documents, the last one {record.where}: {error}; accepted: {self._max_errors} "
                "(--max-errors). Complete parts stay, and the run can go on with a higher number"
            )

    def _tell(self, last: Record, counts: Counts) -> None:
        self._progress.counts += counts
        source = last.mark.source
        self._progress.done = self._before[source] + (last.done if source < len(self._before) - 1 else 0)
        if self._watch is not None:
            self._watch(self._progress)


def _limited(records: Iterator[Record], size: int) -> Iterator[Record]:
    """Yield the records of one part; nothing beyond them is read."""
    characters = 0
    for number, record in enumerate(records, 1):
        yield record
        characters += len(record.text)
        if number == size or characters >= _PART_CHARACTERS:
            return
