"""Reads changed transactions of NetSuite by SuiteQL, each with its lines and tracking numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.changed_rows_polling import ChangedRow, ChangeRange, record_with_content_key
from connectors.sdk.http_requests import build_json_request
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.webhook_and_poll_types import PollError

PATH = "/services/rest/query/v1/suiteql"
ORDERS, SHIPMENTS, INVOICES = "SalesOrd", "ItemShip", "CustInvc"
CREDITS, RETURNS = "CustCred", "RtnAuth"
TYPES = (ORDERS, SHIPMENTS, INVOICES, CREDITS, RETURNS)
HEADER = """
SELECT t.id, t.type, t.tranid, t.otherrefnum, t.externalid, t.status, t.voided, t.foreigntotal,
BUILTIN.DF(t.currency) AS currency, t.entity, BUILTIN.DF(t.entity) AS entityname,
TO_CHAR(t.trandate, 'YYYY-MM-DD') AS trandate, TO_CHAR(t.shipdate, 'YYYY-MM-DD') AS shipdate,
TO_CHAR(t.createddate, 'YYYY-MM-DD"T"HH24:MI:SS') AS createddate,
TO_CHAR(t.lastmodifieddate, 'YYYY-MM-DD"T"HH24:MI:SS') AS lastmodifieddate
FROM transaction t
"""
ORDER_LINES = """
SELECT tl.transaction, tl.id AS line, i.itemid, tl.itemtype, tl.quantity, tl.quantityshiprecv,
tl.isclosed, tl.rate, tl.memo, BUILTIN.DF(tl.location) AS location
FROM transactionline tl LEFT JOIN item i ON i.id = tl.item
WHERE tl.mainline = 'F' AND tl.taxline = 'F' AND tl.iscogs = 'F' AND tl.transaction IN ({ids})
ORDER BY tl.transaction, tl.id
"""
# The lines that continue lines of another transaction, such as of an order.
LINKED_LINES = """
SELECT l.nextdoc AS transaction, l.nextline AS line, l.previousdoc, l.previousline, l.linktype,
p.type AS previoustype, p.tranid AS previoustranid, i.itemid, tl.itemtype, tl.quantity,
tl.quantityshiprecv, tl.rate, BUILTIN.DF(tl.location) AS location
FROM previoustransactionlinelink l JOIN transaction p ON p.id = l.previousdoc
JOIN transactionline tl ON tl.transaction = l.nextdoc AND tl.id = l.nextline
LEFT JOIN item i ON i.id = tl.item WHERE l.nextdoc IN ({ids})
ORDER BY l.nextdoc, l.nextline, l.previousdoc, l.previousline
"""
TRACKING = """
SELECT m.transaction, n.trackingnumber FROM trackingnumbermap m
JOIN trackingnumber n ON n.id = m.trackingnumber WHERE m.transaction IN ({ids})
ORDER BY m.transaction, n.trackingnumber
"""
# A query returns at most so many rows at once.
MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class NetSuiteRowReader:
    """Reads the transactions of one poll. Times are those of the clock of the account."""

    requests: AuthorizedRequests
    base_url: str
    page_size: int

    def read(self, kind: str, wanted: ChangeRange) -> list[ChangedRow]:
        """Return a page of transactions of a type in this range. Raises PollError."""
        conditions = [f"t.type = '{kind}'"]
        if wanted.start:
            conditions.append(f"t.lastmodifieddate >= {_literal(wanted.start)}")
        if wanted.end:
            conditions.append(f"t.lastmodifieddate < {_literal(wanted.end)}")
        if wanted.after_id is not None:
            conditions.append(f"t.id > {int(wanted.after_id or 0)}")
        order = "t.lastmodifieddate, t.id" if wanted.after_id is None else "t.id"
        statement = f"{HEADER}WHERE {' AND '.join(conditions)} ORDER BY {order}"
        try:
            headers = list(self._rows(statement, self.page_size, is_limited=True))
            ids = [str(int(header.required_text("id"))) for header in headers]
            lines = self._by_transaction(ORDER_LINES if kind == ORDERS else LINKED_LINES, ids)
            tracking = self._by_transaction(TRACKING, ids) if kind == SHIPMENTS else {}
            return [_changed_row(kind, header, lines, tracking) for header in headers]
        except PayloadError as error:
            raise PollError(f"the rows of {kind} are invalid ({error})") from None
        except ValueError:
            raise PollError(f"a row of {kind} has an id that is no number") from None

    def _by_transaction(self, statement: str, ids: Sequence[str]) -> Mapping[str, list[Any]]:
        rows: dict[str, list[Any]] = {}
        if ids:
            for row in self._rows(statement.replace("{ids}", ", ".join(ids)), MAX_ROWS):
                rows.setdefault(row.required_text("transaction"), []).append(_without_links(row))
        return rows

    def _rows(self, statement: str, size: int, *, is_limited: bool = False) -> Iterator[Node]:
        """Yield the rows of a query, page by page (`limit`, `offset`, `hasMore`)."""
        offset = 0
        while True:
            request = build_json_request(
                f"{self.base_url.rstrip('/')}{PATH}",
                {"q": " ".join(statement.split())},
                query={"limit": str(size), "offset": str(offset)},
                headers={"prefer": "transient"},
            )
            response = self.requests.send_without_secret_renewal(request)
            document = read_json_body_empty_list_if_204(response)
            if not isinstance(document.value, dict) or not document.has_value("items"):
                raise PollError("the response has no list items")
            rows = document.list_at("items")
            yield from rows
            if is_limited or not document.boolean_at("hasMore"):
                return
            if not rows:
                raise PollError("the response has no rows and says that there are more")
            offset += len(rows)


def _literal(moment: datetime) -> str:
    return f"TO_DATE('{moment:%Y-%m-%d %H:%M:%S}', 'YYYY-MM-DD HH24:MI:SS')"


def _without_links(row: Node) -> dict[str, Any]:
    row.keys()  # raises PayloadError unless it is an object
    return {name: value for name, value in row.value.items() if name != "links"}


def _changed_row(
    kind: str,
    header: Node,
    lines: Mapping[str, list[Any]],
    tracking: Mapping[str, list[Any]],
) -> ChangedRow:
    number, changed = header.required_text("id"), header.required_text("lastmodifieddate")
    try:
        at = datetime.fromisoformat(changed).replace(tzinfo=None)
    except ValueError:
        raise PollError(f"lastmodifieddate {changed[:40]!r} is not a time") from None
    document = {**_without_links(header), "type": kind, "lines": lines.get(number, [])}
    if number in tracking:
        document["tracking"] = [row.get("trackingnumber") for row in tracking[number]]
    return ChangedRow(number, at, record_with_content_key(kind, number, document))
