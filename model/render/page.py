"""The page around a view or a report: one head, one policy, and nothing that comes from outside."""

import base64
import hashlib
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from .characters import one_line, printable


def page(body: str, *, title: str, style: str = "", script: str = "", lang: str = "en") -> str:
    """Return a whole page whose policy forbids network access and every script but the one named.

    Args:
        body: the element `body` with what is in it, escaped.
        title: as it is, for the title bar; it is escaped here.
        style: rules for the head, after those of the palette.
        script: the text between `<script>` and `</script>` that may run; none may if it is empty.
        lang: language of the page, and with it its direction; `ar` runs from right to left.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return Template(asset(__file__, "page.html")).substitute(
        lang=lang,
        dir="rtl" if lang == "ar" else "ltr",
        scripts=f"; script-src 'sha256-{digest}'" if script else "",
        title=esc(one_line(title)),
        style=palette() + style,
        body=body.rstrip("\n"),
    )


def report_style() -> str:
    """Return the rules that our reports share; their own come after them."""
    return asset(__file__, "reports.css")


def palette() -> str:
    """Return the colours of `.isnad` elements and of whole pages; whatever is not a page needs them first."""
    return asset(__file__, "palette.css")


@cache
def asset(beside: str, name: str) -> str:
    """Return the text of a file of the package.

    Args:
        beside: `__file__` of a module in its folder.
        name: of the file.
    """
    return Path(beside).with_name(name).read_text(encoding="utf-8")


def esc(text: str) -> str:
    """Return text for any place in HTML, attributes too; what HTML cannot carry becomes U+FFFD."""
    return escape(printable(text), quote=True)
