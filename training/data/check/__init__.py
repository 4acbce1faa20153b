"""The data doctor: what is wrong with annotated data before a model learns it.

`check_data` reads one or two sources and returns a `Report` of `Finding`s; `report_table` and `report_html` show
it. `isnad data check` is its command.
"""

from .doctor import check_data
from .findings import Drift, Finding, LabelRow, Report, Severity
from .kinds import KINDS, Kind

__all__ = ["KINDS", "Drift", "Finding", "Kind", "LabelRow", "Report", "Severity", "check_data"]
