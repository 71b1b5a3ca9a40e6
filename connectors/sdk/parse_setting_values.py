"""Parsers of setting values. Each raises ValueError with a sentence for people."""

import codecs
import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from connectors.sdk.events import IdentifierScheme
from connectors.sdk.payload import UNSTORABLE_CHARACTERS, PayloadError, parse_decimal
from connectors.sdk.placeholders_and_issuers import parse_scheme_and_issuer

MAX_LENGTH = 1_000
# A text of several lines, such as a certificate with those of its authorities.
SLUG = re.compile(r"[A-Za-z0-9_-]{1,60}")
DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?([a-z]+)")
UNIT_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
}
TRUE_TEXTS = frozenset({"yes", "true", "on", "1"})
FALSE_TEXTS = frozenset({"no", "false", "off", "0"})
NEVER = "never"


def parse_storable_text(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return text that can be stored."""
    if len(text) > max_length:
        raise ValueError(f"The value is longer than {max_length} characters.")
    if UNSTORABLE_CHARACTERS.search(text):
        raise ValueError("The value contains characters that cannot be stored.")
    return text


def parse_integer(text: str) -> int:
    """Parse a whole number."""
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        raise ValueError(f"{text[:40]!r} is not a whole number.")
    return int(text)


def parse_number(text: str) -> Decimal:
    """Parse an exact number."""
    try:
        return parse_decimal(text, "")
    except PayloadError:
        raise ValueError(f"{text[:40]!r} is not a number.") from None


def parse_boolean(text: str) -> bool:
    """Parse yes or no."""
    folded = text.casefold()
    if folded not in TRUE_TEXTS | FALSE_TEXTS:
        raise ValueError(f"{text[:40]!r} is neither yes nor no.")
    return folded in TRUE_TEXTS


def parse_duration(text: str) -> timedelta:
    """Parse `30 min`, `1 h`, `10s` or `1 day`."""
    match = DURATION.fullmatch(text.strip().lower())
    if not match or match[2] not in UNIT_SECONDS:
        raise ValueError(f"{text[:40]!r} is not a duration, such as 30 min, 1 h or 1 day.")
    return timedelta(seconds=float(match[1]) * UNIT_SECONDS[match[2]])


def parse_duration_or_never(text: str) -> timedelta | None:
    """Parse `26 h`, or return None for `never`."""
    return None if text.strip().lower() == NEVER else parse_duration(text)


def check_and_return_zone_name(text: str) -> str:
    """Return the name of an IANA time zone."""
    if text not in _zone_names():
        raise ValueError(f"{text[:40]!r} is not an IANA time zone, such as America/Chicago.")
    return text


@cache
def _zone_names() -> frozenset[str]:
    """The names of all time zones. Listing them reads many files."""
    return frozenset(available_timezones())


def check_and_return_http_url(text: str) -> str:
    """Return an http or https URL without credentials."""
    try:
        address = urlsplit(parse_storable_text(text))
        is_valid = address.scheme in {"http", "https"} and bool(address.hostname)
        _ = address.port
    except ValueError:
        is_valid = False
    if not is_valid or " " in text:
        raise ValueError(f"{text[:80]!r} is not an http or https URL.")
    if address.username or address.password:
        raise ValueError("The URL must not contain a user name or a password.")
    return text


def check_and_return_date_or_time_text(text: str) -> str:
    """Return an ISO 8601 date, or a time with its offset."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a date or time, such as 2026-01-31.") from None
    if len(text) > 10 and parsed.tzinfo is None:
        raise ValueError(f"{text[:40]!r} has no offset; write 2026-01-31T08:00:00Z.")
    return text


def parse_scheme_at_issuer(text: str) -> tuple[IdentifierScheme, str]:
    """Parse `sales_order@erp` into scheme and issuer."""
    try:
        scheme, issuer = parse_scheme_and_issuer(text, (IdentifierScheme.ORDER_NUMBER, ""))
    except ValueError as error:
        raise ValueError(f"{error}.") from None
    check_slug(issuer)
    return scheme, issuer


def check_slug(text: str) -> None:
    """Check that a text can be the slug of a source."""
    if not SLUG.fullmatch(text):
        raise ValueError(
            f"{text[:60]!r} is not a slug: at most 60 letters (a-z), digits, - and _ are allowed."
        )


def check_charset(text: str) -> None:
    """Check that Python can decode a character set."""
    try:
        is_text_encoding = codecs.lookup(text)._is_text_encoding  # false for zlib and hex
    except LookupError:
        is_text_encoding = False
    if not is_text_encoding:
        raise ValueError(f"{text[:40]!r} is not a known character set, such as utf-8 or cp1252.")
