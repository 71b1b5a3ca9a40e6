"""When a document was sent, and dates with the time code of another segment."""

from collections.abc import Iterator

from connectors.sdk import timestamps
from connectors.sdk.events import Flag
from connectors.sdk.x12_interchanges import TransactionSet
from connectors.sdk.x12_segments import Segment
from connectors.systems.x12.elements import (
    to_iso_date,
    to_iso_date_or_blank,
    to_iso_time_or_blank,
)

# Element 623, time code (DTM04): a zone with its daylight saving time (ET), standard time (ES) or
# daylight time (ED). "Etc/GMT+5" is UTC-5. LT, local time, is the zone of the settings.
TIME_CODE_ZONES = {
    "UT": "UTC",
    "GM": "UTC",
    "AT": "America/Anchorage",
    "AS": "Etc/GMT+9",
    "AD": "Etc/GMT+8",
    "CT": "America/Chicago",
    "CS": "Etc/GMT+6",
    "CD": "Etc/GMT+5",
    "ET": "America/New_York",
    "ES": "Etc/GMT+5",
    "ED": "Etc/GMT+4",
    "HT": "Pacific/Honolulu",
    "HS": "Etc/GMT+10",
    "HD": "Etc/GMT+9",
    "MT": "America/Denver",
    "MS": "Etc/GMT+7",
    "MD": "Etc/GMT+6",
    "NT": "America/St_Johns",
    "PT": "America/Los_Angeles",
    "PS": "Etc/GMT+8",
    "PD": "Etc/GMT+7",
    "TT": "America/Halifax",
    "TS": "Etc/GMT+4",
    "TD": "Etc/GMT+3",
}


def time_sent(transaction_set: TransactionSet, zone: str) -> timestamps.ParsedTime | None:
    """Return when the group was created (GS04, GS05), else the interchange (ISA09, ISA10).

    A date with a time is preferred to a bare date. Invalid dates and dates before 2000 are skipped.
    None if neither header has a date.
    """
    created = sorted(
        _dates_and_times_of_group_and_isa(transaction_set), key=lambda pair: not pair[1]
    )
    if not created:
        return None
    date, time = created[0]
    path = f"{transaction_set.code_and_control_number_text} GS04"
    if time:
        return timestamps.parse_timestamp(f"{date}T{time}", path, zone)
    return timestamps.parse_date_as_midnight(date, path, zone)


def _dates_and_times_of_group_and_isa(transaction_set: TransactionSet) -> Iterator[tuple[str, str]]:
    headers = ((transaction_set.group, 4), (transaction_set.header, 9))
    for header, position in headers:
        date = to_iso_date_or_blank(header[position]) if header is not None else ""
        if header is not None and date >= "2000":
            yield date, to_iso_time_or_blank(header[position + 1])


def time_of_dtm(segment: Segment, path: str, zone: str) -> timestamps.ParsedTime:
    """Return the time of a DTM segment: DTM02 date, DTM03 time, DTM04 time code.

    Without DTM03, it is a bare date. A known time code replaces `zone` (an IANA name). Raises
    PayloadError if the date is invalid.
    """
    date, time = to_iso_date(segment[2], path), to_iso_time_or_blank(segment[3])
    if not time:
        return timestamps.parse_date_as_midnight(date, path, zone)
    sent_zone = TIME_CODE_ZONES.get(segment[4])
    parsed = timestamps.parse_timestamp(f"{date}T{time}", path, sent_zone or zone)
    if parsed is None:
        return timestamps.parse_date_as_midnight(date, path, zone)
    if sent_zone is None:
        return parsed
    flags = tuple(flag for flag in parsed.flags if flag is not Flag.ZONE_ASSUMED)
    return timestamps.ParsedTime(parsed.time, flags)
