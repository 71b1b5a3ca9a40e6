"""Dates of the Xero API: `/Date(1539993600000+0000)/`, milliseconds of Unix time."""

from datetime import datetime

from connectors.sdk.json_dates import parse_json_date
from connectors.sdk.payload import Node
from connectors.sdk.timestamps import ParsedTime, parse_date_as_midnight, parse_timestamp


def parse_xero_date(text: str, path: str) -> datetime | None:
    """Parse `/Date(ms)/`; None for blank text.

    Xero sends the offset +0000. Older integrations answer ISO 8601, which is read too, as UTC.
    Raises PayloadError.
    https://developer.xero.com/documentation/api/accounting/requests-and-responses
    """
    if not text:
        return None
    if moment := parse_json_date(text, path):
        return moment
    parsed = parse_timestamp(text.replace(" ", "T"), path, "UTC")
    return parsed.time if parsed else None


def changed_at(document: Node) -> datetime | None:
    """Return `UpdatedDateUTC`, when a document was last changed."""
    return parse_xero_date(document.text_at("UpdatedDateUTC"), document.get("UpdatedDateUTC").path)


def time_of_date(document: Node, key: str, zone: str) -> ParsedTime | None:
    """Return midnight in the zone of the company, flagged as a date; None if it is absent.

    Xero sends a date as midnight in UTC, whatever the zone of the company. A date after the last
    change of the document, which is its plan and not what happened, gives that change time.
    """
    path = document.get(key).path
    moment, changed = parse_xero_date(document.text_at(key), path), changed_at(document)
    if moment is None:
        return None
    midnight = parse_date_as_midnight(f"{moment:%Y-%m-%d}", path, zone)
    return ParsedTime(changed) if changed and midnight.time > changed else midnight
