"""How numbers are compared: one rule per scheme; the written form is kept beside it."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import timedelta

from connectors.sdk.events import Scheme, identifying

BLANKS = re.compile(r"\s+")
SSCC_DIGITS = 18
# The setting by which a source says which of its numbers it gives out again, and after how long.
RECYCLES = "recycles"
LONGEST_DAYS = 3_650
# Many letters and digits of these look like plain ones.
ALIKE = (
    "CYRILLIC",
    "GREEK",
    "ARMENIAN",
    "CHEROKEE",
    "FULLWIDTH",
    "MATHEMATICAL",
    "CIRCLED",
    "ROMAN NUMERAL",
    "LATIN SMALL LETTER DOTLESS",
    "LATIN SMALL LETTER LONG S",
)


def _plain(value: str) -> str:
    return BLANKS.sub(" ", _upper(unicodedata.normalize("NFC", value))).strip()


def _upper(value: str) -> str:
    """Capitals, one for one: a dotless i or a long s stays itself and matches no plain letter."""
    if value.isascii():
        return value.upper()
    return "".join(big if (big := c.upper()).lower() == c else c for c in value)


def _solid(value: str) -> str:
    return _plain(value).replace(" ", "").replace("-", "")


def _web(value: str) -> str:
    return _plain(value).lstrip("#").strip()


def _sscc(value: str) -> str:
    digits = _solid(value).removeprefix("(00)")
    return digits[2:] if len(digits) == SSCC_DIGITS + 2 and digits.startswith("00") else digits


def _counted(value: str) -> str:
    """An ERP's counter: one interface pads it with zeros, the next does not."""
    text = _plain(value)
    return text.lstrip("0") or text if text.isascii() and text.isdecimal() else text


# Leading zeros count everywhere else: two POs may differ by nothing but them.
RULES: Mapping[Scheme, Callable[[str], str]] = {
    Scheme.TRACKING: _solid,
    Scheme.PRO: _solid,
    Scheme.SSCC: _sscc,
    Scheme.WEB_ORDER: _web,
    Scheme.SALES_ORDER: _counted,
    Scheme.DELIVERY: _counted,
    Scheme.SOURCE_ID: lambda value: unicodedata.normalize("NFC", value).strip(),
}


def normalise(scheme: Scheme, value: str) -> str:
    """The form under which a number is stored and compared."""
    return RULES.get(scheme, _plain)(value)


def spellings(text: str) -> list[str]:
    """Every normal form a number that a person typed may have, for searches."""
    found = {normalise(scheme, text) for scheme in Scheme}
    return sorted(form for form in found if form)


def recycling(setting: str) -> dict[Scheme, timedelta]:
    """`order_number:365 invoice:400` -> days of silence by scheme. Raises ValueError."""
    found = {}
    for part in setting.replace(",", " ").split():
        scheme, _, days = part.partition(":")
        if scheme not in set(Scheme) or not days.isdecimal() or not 1 <= int(days) <= LONGEST_DAYS:
            raise ValueError(f"{part!r} is not of the form scheme:days, as order_number:365 is")
        found[Scheme(scheme)] = timedelta(days=int(days))
    return found


def names_something(value: str) -> bool:
    """Whether a value is a number at all, and not `N/A`, `TBD`, `-` or `0`."""
    return bool(identifying(value))


def sound(scheme: Scheme, value: str) -> bool:
    """Whether the number's own check digit agrees; most schemes have none."""
    if scheme is not Scheme.SSCC:
        return True
    digits = _sscc(value)
    if len(digits) != SSCC_DIGITS or not (digits.isascii() and digits.isdecimal()):
        return False
    weighed = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(digits))
    # The check digit itself stands at an odd place and counts once.
    return weighed % 10 == 0


def confusable(value: str) -> bool:
    """Whether it could be read as another number: unseen signs, or letters that look like ours."""
    return any(_strange(c) for c in value if not c.isascii())


def _strange(char: str) -> bool:
    if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029":
        return True
    name = unicodedata.name(char, "")
    return name.startswith(ALIKE)


def visible(value: str) -> str:
    """The value with everything unseen or foreign written out: `PO\\u202e11`."""
    if not confusable(value):
        return value
    return "".join(c if c.isascii() and c.isprintable() else f"\\u{ord(c):04x}" for c in value)
