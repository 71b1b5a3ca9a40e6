"""Dates of the Xero API: `/Date(1539993600000+0000)/`, milliseconds of Unix time."""

import re
from datetime import UTC, datetime, timedelta

from connectors.sdk.payload import Node, ParkReason, PayloadError
from connectors.sdk.timestamps import (
    ParsedTime,
    parse_date_as_midnight,
    parse_timestamp,
    to_plausible_utc,
)

JSON_DATE = re.compile(r"/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)/")
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_json_date(text: str, path: str) -> datetime | None:
    """Parse `/Date(ms)/` or `/Date(ms+0000)/`; None for blank text.

    The number is always in UTC; the offset only names the zone of the sender. Xero sends +0000.
    Older integrations answer ISO 8601, which is read too, as UTC. Raises PayloadError.
    https://developer.xero.com/documentation/api/accounting/requests-and-responses
    """
    if not text:
        return None
    match = JSON_DATE.fullmatch(text)
    if match is None:
        parsed = parse_timestamp(text.replace(" ", "T"), path, "UTC")
        return parsed.time if parsed else None
    try:
        moment = UNIX_EPOCH + timedelta(milliseconds=int(match[1]))
    except OverflowError:
        raise PayloadError(ParkReason.TIMESTAMP, path, "the time is out of range") from None
    return to_plausible_utc(moment, path)


def changed_at(document: Node) -> datetime | None:
    """Return `UpdatedDateUTC`, when a document was last changed."""
    return parse_json_date(document.text_at("UpdatedDateUTC"), document.get("UpdatedDateUTC").path)


def time_of_date(document: Node, key: str, zone: str) -> ParsedTime | None:
    """Return midnight in the zone of the company, flagged as a date; None if it is absent.

    Xero sends a date as midnight in UTC, whatever the zone of the company. A date after the last
    change of the document, which is its plan and not what happened, gives that change time.
    """
    path = document.get(key).path
    moment, changed = parse_json_date(document.text_at(key), path), changed_at(document)
    if moment is None:
        return None
    midnight = parse_date_as_midnight(f"{moment:%Y-%m-%d}", path, zone)
    return ParsedTime(changed) if changed and midnight.time > changed else midnight
