"""Parse row ids and times from text of unknown origin, within what PostgreSQL can compare."""

from datetime import UTC, datetime

MAX_ID = 2**63 - 1
MAX_VERSION = 2**31 - 1
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
