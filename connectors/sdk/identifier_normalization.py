"""Normalization of identifiers for comparison, check digits and look-alike characters."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import timedelta

from connectors.sdk.check_digits import SSCC_DIGITS, is_valid_sscc
from connectors.sdk.events import IdentifierScheme
from connectors.sdk.placeholders_and_issuers import blank_if_placeholder

WHITESPACE = re.compile(r"\s+")
# The source setting for number ranges that are reused, and after how many days without activity.
REUSE_SETTING = "reused_after"
MAX_REUSE_DAYS = 3_650
# Unicode blocks with characters that look like ASCII letters or digits.
LOOKALIKE_NAMES = (
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


def _upper_case_and_collapse_whitespace(value: str) -> str:
    return WHITESPACE.sub(
        " ", _upper_case_reversible_characters(unicodedata.normalize("NFC", value))
    ).strip()


def _upper_case_reversible_characters(value: str) -> str:
    """Upper-case reversible characters only: a dotless i or long s must not match ASCII I or S."""
    if value.isascii():
        return value.upper()
    return "".join(upper if (upper := c.upper()).lower() == c else c for c in value)


def _without_separators(value: str) -> str:
    return _upper_case_and_collapse_whitespace(value).replace(" ", "").replace("-", "")


def _without_number_sign(value: str) -> str:
    return _upper_case_and_collapse_whitespace(value).lstrip("#").strip()


def _sscc_digits(value: str) -> str:
    digits = _without_separators(value).removeprefix("(00)")
    return digits[2:] if len(digits) == SSCC_DIGITS + 2 and digits.startswith("00") else digits


def _without_leading_zeros(value: str) -> str:
    """Normalize a counter of an ERP: some interfaces pad it with zeros, others do not."""
    text = _upper_case_and_collapse_whitespace(value)
    return text.lstrip("0") or text if text.isascii() and text.isdecimal() else text


# All other schemes keep leading zeros: two POs may differ only by them.
NORMALIZERS: Mapping[IdentifierScheme, Callable[[str], str]] = {
    IdentifierScheme.TRACKING: _without_separators,
    IdentifierScheme.PRO: _without_separators,
    IdentifierScheme.CONTAINER: _without_separators,
    IdentifierScheme.VEHICLE: _without_separators,
    IdentifierScheme.SSCC: _sscc_digits,
    IdentifierScheme.WEB_ORDER: _without_number_sign,
    IdentifierScheme.SALES_ORDER: _without_leading_zeros,
    IdentifierScheme.DELIVERY: _without_leading_zeros,
    IdentifierScheme.SOURCE_ID: lambda value: unicodedata.normalize("NFC", value).strip(),
}


def normalize_identifier(scheme: IdentifierScheme, value: str) -> str:
    """Return the normalized form in which a number is stored and compared."""
    return NORMALIZERS.get(scheme, _upper_case_and_collapse_whitespace)(value)


def possible_normalized_values(text: str) -> list[str]:
    """Return every normalized form that a typed number may have, for searches."""
    forms = {normalize_identifier(scheme, text) for scheme in IdentifierScheme}
    return sorted(form for form in forms if form)


def parse_reuse_intervals_by_scheme(setting: str) -> dict[IdentifierScheme, timedelta]:
    """Parse `order_number:365 invoice:400` into {scheme: interval}. Raises ValueError."""
    intervals = {}
    for entry in setting.replace(",", " ").split():
        scheme, _, days = entry.partition(":")
        if (
            scheme not in set(IdentifierScheme)
            or not days.isdecimal()
            or not 1 <= int(days) <= MAX_REUSE_DAYS
        ):
            raise ValueError(
                f"{entry!r} is not of the form scheme:days, for example order_number:365"
            )
        intervals[IdentifierScheme(scheme)] = timedelta(days=int(days))
    return intervals


def is_not_placeholder(value: str) -> bool:
    """Whether a value is a number and not a placeholder such as `N/A`, `TBD`, `-` or `0`."""
    return bool(blank_if_placeholder(value))


def has_valid_check_digit(scheme: IdentifierScheme, value: str) -> bool:
    """Whether the check digit is valid (GS1 modulo 10). True for schemes without one."""
    return scheme is not IdentifierScheme.SSCC or is_valid_sscc(_sscc_digits(value))


def has_invisible_or_lookalike(value: str) -> bool:
    """Whether a value has invisible characters, or characters that look like ASCII ones."""
    return any(_is_invisible_or_lookalike(c) for c in value if not c.isascii())


def _is_invisible_or_lookalike(char: str) -> bool:
    if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029":
        return True
    name = unicodedata.name(char, "")
    return name.startswith(LOOKALIKE_NAMES)


def escape_invisible_and_lookalike(value: str) -> str:
    """Escape invisible and non-ASCII characters of a look-alike value: `PO\\u202e11`."""
    if not has_invisible_or_lookalike(value):
        return value
    return "".join(c if c.isascii() and c.isprintable() else f"\\u{ord(c):04x}" for c in value)
