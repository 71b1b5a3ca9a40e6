"""Polls the REST API of a Frappe site: names by time of change, then each document with its rows.

https://docs.frappe.io/framework/user/en/api/rest
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.changed_rows_polling import ChangedRow, ChangeRange, record_with_content_key
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.webhook_and_poll_types import HttpRequest, PollError
from connectors.systems.erpnext.documents import INVOICE, NOTE, ORDER

DOCTYPES = (ORDER, NOTE, INVOICE)
# How long after a change of its clock a site can write times that it wrote before.
CLOCK_CHANGE_WINDOW = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class DocumentReader:
    """Reads documents of one poll. The list has no rows of tables, so each is requested."""

    requests: AuthorizedRequests
    base_url: str
    page_size: int

    def read(self, doctype: str, wanted: ChangeRange) -> list[ChangedRow]:
        """Return a page of documents in this range. Raises PollError."""
        filters: list[list[str]] = []
        if wanted.start:
            filters.append(["modified", ">=", str(wanted.start)])
        if wanted.end:
            filters.append(["modified", "<", str(wanted.end)])
        if wanted.after_id is not None:
            filters.append(["name", ">", wanted.after_id])
        query = {
            "fields": json.dumps(["name", "modified"]),
            "filters": json.dumps(filters),
            "order_by": "modified asc, name asc" if wanted.after_id is None else "name asc",
            "limit_page_length": str(self.page_size),
        }
        try:
            rows = self._get(quote(doctype), query).as_list()
            return [self._read_document(doctype, node) for node in rows]
        except PayloadError as error:
            raise PollError(f"the list of {doctype} is invalid ({error})") from None

    def _read_document(self, doctype: str, listed: Node) -> ChangedRow:
        name = listed.required_text("name")
        document = self._get(f"{quote(doctype)}/{quote(name, safe='')}", {})
        body: dict[str, Any] = {**dict(document.value), "doctype": doctype}
        try:
            at = datetime.fromisoformat(listed.required_text("modified"))
        except ValueError:
            raise PollError(f"modified of {doctype} {name[:60]} is not a time") from None
        return ChangedRow(name, at, record_with_content_key(doctype, name, body))

    def _get(self, path: str, query: dict[str, str]) -> Node:
        url = f"{self.base_url.rstrip('/')}/api/resource/{path}"
        request = HttpRequest("GET", url, query, {"accept": "application/json"})
        response = self.requests.send_without_secret_renewal(request)
        document = read_json_body_empty_list_if_204(response)
        if not document.has_value("data"):
            raise PollError("the response has no data")
        return document.get("data")


def repeated_clock_time(zone: str, now: datetime) -> timedelta:
    """Return how far the clock of a zone was put back within the last hours; usually zero.

    After it, times of change are lower than before, and a poll must go back as far.
    """
    info = ZoneInfo(zone)
    offsets: Sequence[timedelta | None] = [
        at.astimezone(UTC).astimezone(info).utcoffset() for at in (now - CLOCK_CHANGE_WINDOW, now)
    ]
    before, after = (offset or timedelta() for offset in offsets)
    return max(before - after, timedelta())
