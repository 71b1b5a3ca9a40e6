"""Dates of OData v2 and of older .NET APIs in JSON: `/Date(1539993600000+0000)/`.

https://www.odata.org/documentation/odata-version-2-0/json-format/
"""

import re
from datetime import UTC, datetime, timedelta

from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.timestamps import to_plausible_utc

JSON_DATE = re.compile(r"/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)/")
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_json_date(text: str, path: str) -> datetime | None:
    """Parse `/Date(ms)/` or `/Date(ms+0000)/`; None for a text of another form.

    The number counts from 1970 in UTC; the offset only names the zone of the sender. Raises
    PayloadError.
    """
    match = JSON_DATE.fullmatch(text)
    if match is None:
        return None
    try:
        moment = UNIX_EPOCH + timedelta(milliseconds=int(match[1]))
    except OverflowError:
        raise PayloadError(ParkReason.TIMESTAMP, path, "the time is out of range") from None
    return to_plausible_utc(moment, path)
