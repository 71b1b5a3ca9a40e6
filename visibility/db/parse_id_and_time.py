"""Parse row ids and times from text of unknown origin, within what PostgreSQL can compare."""

import re
from datetime import UTC, date, datetime

MAX_ID = 2**63 - 1
MAX_VERSION = 2**31 - 1
MAX_PAGE = 99_999
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
FIRST_YEAR, LAST_YEAR = 2000, 2200


def is_decimal_number(text: str) -> bool:
    """Whether the text has only the digits 0 to 9, and at least one."""
    return text.isascii() and text.isdecimal()


def parse_row_id(text: str) -> int | None:
    """Parse the id of a row; None if no row can have it."""
    if not is_decimal_number(text) or len(text) > len(str(MAX_ID)):
        return None
    number = int(text)
    return number if 0 < number <= MAX_ID else None


def parse_row_version(text: str) -> int | None:
    """Parse the version of a row; None if no row can have it."""
    if not is_decimal_number(text) or len(text) > len(str(MAX_VERSION)):
        return None
    number = int(text)
    return number if number <= MAX_VERSION else None


def parse_page_number(text: str) -> int:
    """Parse the number of a page; 1 if it is none."""
    if not is_decimal_number(text) or len(text) > len(str(MAX_PAGE)):
        return 1
    return max(int(text), 1)


def parse_day(text: str) -> date | None:
    """Parse a day such as 2026-03-04; None if it is none."""
    try:
        return date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        return None


def parse_plausible_time(text: str) -> datetime | None:
    """Parse an ISO 8601 time with a time zone; None unless it is between 2000 and 2200."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None
