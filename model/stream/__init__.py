"""Millions of documents: read one by one, extracted, written in parts, resumed where a run was killed."""

from .journal import Journal
from .loop import Counts, Progress, run
from .records import Keys, Mark, Record
from .sources import Source, find_sources, is_data_file, read

__all__ = [
    "Counts",
    "Journal",
    "Keys",
    "Mark",
    "Progress",
    "Record",
    "Source",
    "find_sources",
    "is_data_file",
    "read",
    "run",
]
