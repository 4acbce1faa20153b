"""Offsets of a CAS JSON file before it is loaded: in UTF-16 units, inside the text, with their lines."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...model.errors import DataError
from .files import Faults
from .offsets import UTF16, starts_of
from .records import whole

_DOCUMENT_TYPES = (
    "uima.tcas.DocumentAnnotation",
    "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData",
)
_SOFA = "uima.cas.Sofa"
# In a list of feature structures, and in a map of them.
_ID = re.compile(r'"%ID"\s*:\s*(\d{1,12})\b|(?<=[{,\s])"(\d{1,12})"\s*:\s*\{')
_LAYOUT = 'an object with "%TYPES", "%FEATURE_STRUCTURES" and "%VIEWS"'


def use_utf16(
    data: Any, source: str, faults: Faults, notices: Counter[str], name: str
) -> tuple[str, dict[int, tuple[str, int, str]]]:
    """Check the offsets of all annotations and turn them into UTF-16 units where they count code points.

    Args:
        data: the parsed file; its offsets are changed in place.
        source: the file's text, for the lines of faults.
        faults: for its path.
        notices: where a reading as code points is noted.
        name: name of the document, for that note.

    Returns:
        The text, and for the id of every annotation whose offsets do not fit it: what is wrong, the line, and what
        is accepted. They are faults only if a mention turns out to be among them.

    Raises:
        DataError: no CAS, no text, or a text that UTF-8 cannot hold.
    """
    structures = _structures(data, faults)
    sofas = {id_: fs for id_, fs in structures.items() if fs.get("%TYPE") == _SOFA}
    texts = {id_: fs["sofaString"] for id_, fs in sofas.items() if isinstance(fs.get("sofaString"), str)}
    # The view that INCEpTION annotates, wherever there are others.
    chosen = sorted(texts, key=lambda id_: sofas[id_].get("sofaID") != "_InitialView")
    if not chosen:
        raise DataError("no text (sofaString)", path=faults.path, accepted=_LAYOUT)
    text = texts[chosen[0]]
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"the text holds half of a surrogate pair at {error.start}",
            path=faults.path,
            accepted="whole characters",
        ) from error
    for id_, fs in structures.items():
        if "@sofa" in fs and not all(whole(fs.get(key, 0)) for key in ("begin", "end")):
            found = f"the annotation {id_} spans {fs.get('begin')!r} to {fs.get('end')!r}"
            faults.add(found, line=lines(source).get(id_, 0), accepted="whole numbers")
    faults.raise_any()
    spans = dict(_spans(structures, chosen[0]))
    points = starts_of(text, UTF16)
    if len(points) > len(text) + 1 and _counts_code_points(structures, spans, text, points):
        units = [unit for unit, point in enumerate(points) if point >= 0]
        for id_, (start, end) in spans.items():
            if 0 <= start <= end <= len(text):
                structures[id_]["begin"], structures[id_]["end"] = units[start], units[end]
        spans = dict(_spans(structures, chosen[0]))
        notices[f"document {name!r}: offsets are code-points"] += 1
    return text, _misfits(spans, points, source)


def lines(source: str) -> dict[int, int]:
    """Return the line of every feature structure, by id."""
    found, line, counted = {}, 1, 0
    for match in _ID.finditer(source):
        line, counted = line + source.count("\n", counted, match.start()), match.start()
        found[int(match[1] or match[2])] = line
    return found


def _structures(data: Any, faults: Faults) -> dict[int, dict[str, Any]]:
    """Return the feature structures by id; both layouts of the list are in use."""
    listed = data.get("%FEATURE_STRUCTURES") if isinstance(data, dict) else None
    if not isinstance(listed, list | dict) or not isinstance(data.get("%TYPES"), dict):
        raise DataError("not a CAS", path=faults.path, accepted=_LAYOUT)
    if isinstance(listed, list):
        pairs = [(fs.get("%ID"), fs) for fs in _objects(listed, faults)]
    else:
        pairs = [(id_, fs) for id_, fs in listed.items() if isinstance(fs, dict)]
    return {int(str(id_)): fs for id_, fs in pairs if str(id_).isascii() and str(id_).isdecimal()}


def _objects(listed: list[Any], faults: Faults) -> list[dict[str, Any]]:
    for item in listed:
        if not isinstance(item, dict):
            raise DataError(
                f"found {str(item)[:40]!r} among the feature structures", path=faults.path, accepted=_LAYOUT
            )
    return listed


def _spans(structures: Mapping[int, Mapping[str, Any]], sofa: int) -> Iterator[tuple[int, tuple[int, int]]]:
    for id_, fs in structures.items():
        start, end = fs.get("begin", 0), fs.get("end", 0)
        # An offset of 0 may be left out, and so may the sofa where there is one only.
        placed = ("begin" in fs or "end" in fs) and whole(start) and whole(end)
        if placed and fs.get("@sofa", sofa) == sofa:
            yield id_, (start, end)


def _counts_code_points(
    structures: Mapping[int, Mapping[str, Any]],
    spans: Mapping[int, tuple[int, int]],
    text: str,
    points: Sequence[int],
) -> bool:
    """Whether the offsets of a text with characters beyond the BMP are code points.

    The annotation of the whole document tells. Without one, they are if some span would otherwise cut a
    character or have a blank at its edge, and as code points none does.

    Args:
        structures: the feature structures by id.
        spans: the offsets of the annotations by id.
        text: the text.
        points: the code point of every UTF-16 offset, -1 inside a character.
    """
    ends = {spans[id_][1] for id_ in spans if structures[id_].get("%TYPE") in _DOCUMENT_TYPES}
    if ends & {len(points) - 1, len(text)}:
        return len(points) - 1 not in ends
    return _odd(spans, text, points) > 0 and _odd(spans, text, range(len(text) + 1)) == 0


def _odd(spans: Mapping[int, tuple[int, int]], text: str, points: Sequence[int]) -> int:
    odd = 0
    for start, end in spans.values():
        if not 0 <= start <= end < len(points) or points[start] < 0 or points[end] < 0:
            odd += 1
        else:
            covered = text[points[start] : points[end]]
            odd += covered != covered.strip()
    return odd


def _misfits(
    spans: Mapping[int, tuple[int, int]], points: Sequence[int], source: str
) -> dict[int, tuple[str, int, str]]:
    wrong, rows = {}, lines(source)
    for id_, (start, end) in spans.items():
        inside = 0 <= start < end < len(points)
        if not inside or points[start] < 0 or points[end] < 0:
            found = f"spans {start} to {end}" + (", the middle of a character" if inside else "")
            accepted = f"0 <= begin < end <= {len(points) - 1}, the length of the text in UTF-16 units"
            wrong[id_] = (found, rows.get(id_, 0), accepted)
    return wrong
