"""DTM dates and times by their format (2379), and the date and time of an interchange."""

import re
from datetime import datetime

from connectors.sdk import timestamps
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.systems.edifact.segments import EdifactSegment

OFFSET = re.compile(r"(?P<digits>\d{8,14})(?P<zone>[+-]\d{2}(?::?\d{2})?|Z|UTC|GMT)?")
UTC_NAMES = frozenset({"Z", "UTC", "GMT"})
# Formats with a two-digit year: YYMMDD and YYMMDDHHMM.
SHORT_YEAR_FORMATS = frozenset({"101", "201", "202"})


def iso_date_and_time(value: str, code: str = "") -> tuple[str, str]:
    """Return (`2026-03-04`, `14:06:00+01:00` or "") of a DTM value; blanks if it is none.

    Of a period (formats 718 and 719), the end is returned: what is due in it is due by then.
    Some senders send 12 digits with the format 102; the digits count.
    """
    text = value.strip()
    if code in {"718", "719"}:
        text = text[len(text) // 2 :].lstrip("-/")
    if code in SHORT_YEAR_FORMATS or (len(text) in {6, 10} and text.isdecimal() and not code):
        text = f"20{text}"
    match = OFFSET.fullmatch(text)
    if match is None:
        return "", ""
    digits, zone = match["digits"], match["zone"] or ""
    date = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
    try:
        datetime.strptime(digits[:8], "%Y%m%d")  # noqa: DTZ007  # only a check of the date
    except ValueError:
        return "", ""
    if len(digits) < 12 or code == "102":
        return date, ""
    if digits[8:10] > "24" or digits[10:12] > "59":
        return date, ""
    seconds = digits[12:14] if len(digits) == 14 and digits[12:14] <= "60" else "00"
    offset = "Z" if zone in UTC_NAMES else zone
    if re.fullmatch(r"[+-]\d{2}", offset):
        offset = f"{offset}:00"
    return date, f"{digits[8:10]}:{digits[10:12]}:{seconds}{offset}"


def parse_dtm(segment: EdifactSegment, path: str, zone: str) -> timestamps.ParsedTime | None:
    """Return the time of a DTM segment, None if it is blank. Raises PayloadError."""
    value = segment.text(1, 2)
    if not value:
        return None
    date, time = iso_date_and_time(value, segment.text(1, 3))
    if not date:
        raise PayloadError(ParkReason.TIMESTAMP, path, f"{value[:40]!r} is not a valid date")
    if not time:
        return timestamps.parse_date_as_midnight(date, path, zone)
    return timestamps.parse_timestamp(f"{date}T{time}", path, zone)


def time_of_interchange(
    header: EdifactSegment | None, group: EdifactSegment | None, zone: str
) -> timestamps.ParsedTime | None:
    """Return when the group (UNG S004) or interchange (UNB S004) was prepared; None without."""
    for segment, tag in ((group, "UNG"), (header, "UNB")):
        if segment is None:
            continue
        digits, clock = segment.text(4, 1), segment.text(4, 2)
        date, time = iso_date_and_time(f"{digits}{clock[:4] if len(clock) >= 4 else ''}")
        if not date or date < "2000":
            continue
        if time:
            return timestamps.parse_timestamp(f"{date}T{time}", f"{tag} S004", zone)
        return timestamps.parse_date_as_midnight(date, f"{tag} S004", zone)
    return None


def estimate_text(segment: EdifactSegment, zone: str) -> str:
    """Return an expected time as ISO 8601 text: a date, or a time in UTC; "" if it is invalid."""
    date, time = iso_date_and_time(segment.text(1, 2), segment.text(1, 3))
    if not "1900" < date < "2100":
        return ""
    if not time:
        return date
    parsed = parse_dtm(segment, "DTM", zone)
    return f"{parsed.time:%Y-%m-%dT%H:%M:%SZ}" if parsed else date
