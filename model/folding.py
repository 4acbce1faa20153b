"""The one table of Arabic character folding, used by the tokenizer's normalizer and by plain Python.

Both sides are built from the constants below so that they cannot drift apart (a test compares them).
"""

import re
import unicodedata
from typing import Any

# Combining marks that may trail a letter: tashkeel, Quranic marks, superscript alef, general diacritics.
MARK_RANGES = (
    "\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u0898-\u089f\u08ca-\u08e1\u08e3-\u08ff\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
)
# Format characters that draw nothing: soft hyphen, Arabic letter mark, zero-width and bidi controls,
# variation selectors, byte-order mark, tags.
INVISIBLE_RANGES = (
    "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff"
)
KASHIDA = "\u0640"
# Isolated tashkeel presentation forms: NFKC would turn each into a space and a mark and so cut the word.
MARK_FORM_RANGES = "\ufe70-\ufe7f"

# Letters (after NFKC) that are written for one another in news and on the web.
LETTER_FOLDS: dict[str, str] = {
    "أإآٱٲٳٵ": "ا",
    "ىیېۍے": "ي",
    "کڪګ": "ك",
    "ہھەۀ": "ه",
}
DIGIT_FOLDS: dict[str, str] = {str(d): chr(0x0660 + d) + chr(0x06F0 + d) for d in range(10)}

_STRIPPED = re.compile(f"[{MARK_RANGES}{INVISIBLE_RANGES}{KASHIDA}{MARK_FORM_RANGES}]")
_FOLD_TABLE = str.maketrans(
    {c: to for chars, to in LETTER_FOLDS.items() for c in chars}
    | {c: to for to, chars in DIGIT_FOLDS.items() for c in chars}
)


def fold(text: str) -> str:
    """Return `text` as the tokenizer sees it: NFKC, no marks, kashida or invisible characters, letters folded.

    The result may be shorter or longer than the input; use it for comparing, never for offsets.
    """
    text = re.sub(f"[{MARK_FORM_RANGES}]", "", text)
    text = unicodedata.normalize("NFKC", text)
    # A capital sigma is lowered by itself, as the tokenizer does; Python looks at what follows it.
    return _STRIPPED.sub("", text).translate(_FOLD_TABLE).replace("Σ", "σ").lower()


def tokenizer_normalizer() -> Any:
    """Return the same folding as a `tokenizers` normalizer, which keeps the alignment to the input."""
    from tokenizers import Regex, normalizers

    steps = [
        normalizers.Replace(Regex(f"[{MARK_FORM_RANGES}]"), ""),
        normalizers.NFKC(),
        normalizers.Replace(Regex(f"[{MARK_RANGES}{INVISIBLE_RANGES}{KASHIDA}]"), ""),
        *(normalizers.Replace(Regex(f"[{chars}]"), to) for chars, to in LETTER_FOLDS.items()),
        *(normalizers.Replace(Regex(f"[{chars}]"), to) for to, chars in DIGIT_FOLDS.items()),
        normalizers.Lowercase(),
    ]
    return normalizers.Sequence(steps)
