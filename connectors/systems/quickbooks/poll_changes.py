"""Polls changes of QuickBooks Online: change data capture, and queries where it does not reach."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors, row_to_record
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.payload import Node, PayloadError
from connectors.sdk.webhook_and_poll_types import (
    HttpRequest,
    PolledPage,
    PolledRecord,
    PollError,
)
from connectors.systems.quickbooks.transactions import (
    QuickBooksTransactionReader,
    last_updated_time,
)

ENTITIES = QuickBooksTransactionReader.names
# The time since which change data capture is asked.
CAPTURE = "cdc"


@dataclass(slots=True)
class QuickBooksPoller:
    """One poll of one company.

    Change data capture names deletions too, and reaches 30 days back. It sends 1000 objects at
    most and has no pages. The first poll, one after a longer pause, and one with too many changes
    query each kind of transaction.
    """

    # https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/change-data-capture
    capture_days: ClassVar[timedelta] = timedelta(days=29)
    capture_limit: ClassVar[int] = 1000

    requests: AuthorizedRequests
    cursors: CollectionCursors
    company_url: str
    page_size: int
    overlap: timedelta
    start: str = ""

    def pages(self) -> Iterator[PolledPage]:
        """Yield pages with the cursor to store in the same transaction. Raises PollError."""
        since = self.cursors.since(CAPTURE, self.overlap)
        if since is not None and self.cursors.now - since < self.capture_days:
            is_complete = yield from self._captured_changes(since)
            if is_complete:
                return
        self.cursors.times.pop(CAPTURE, None)
        for entity in ENTITIES:
            yield from self._queried_changes(entity)
        newest = [at for name, at in self.cursors.times.items() if name in ENTITIES]
        self.cursors.advance(CAPTURE, newest)
        yield PolledPage((), self.cursors.to_text())

    def _captured_changes(self, since: datetime) -> Generator[PolledPage, None, bool]:
        """Yield the changes; False if the response may lack some."""
        query = {"entities": ",".join(ENTITIES), "changedSince": _to_the_second(since)}
        document = yield from self._get("cdc", query)
        rows: list[tuple[str, Node]] = []
        try:
            if not document.has_value("CDCResponse"):
                raise PollError("the response has no CDCResponse")
            for response in document.list_at("CDCResponse"):
                for group in response.list_at("QueryResponse"):
                    rows += [(name, row) for name in ENTITIES for row in group.list_at(name)]
            records = tuple(_to_record(name, row) for name, row in rows)
            times = [last_updated_time(row) for _, row in rows]
        except PayloadError as error:
            raise PollError(f"the response is invalid ({error})") from None
        is_complete = len(rows) < self.capture_limit
        if is_complete:
            self.cursors.advance(CAPTURE, times)
        for entity in ENTITIES:
            known = [at for (name, _), at in zip(rows, times, strict=True) if name == entity]
            if is_complete:
                self.cursors.advance(entity, known)
            else:
                self.cursors.times[entity] = since
        yield PolledPage(records, self.cursors.to_text())
        return is_complete

    def _queried_changes(self, entity: str) -> Iterator[PolledPage]:
        """Yield the rows of one kind, oldest change first."""
        since = self.cursors.since(entity, self.overlap, self.start)
        condition = f" where MetaData.LastUpdatedTime >= '{_to_the_second(since)}'" if since else ""
        position, is_full = 1, True
        while is_full:
            statement = (
                f"select * from {entity}{condition} orderby MetaData.LastUpdatedTime "  # noqa: S608  # no SQL: the names are constants
                f"startposition {position} maxresults {self.page_size}"
            )
            document = yield from self._get("query", {"query": statement})
            try:
                rows = document.required_object("QueryResponse").list_at(entity)
                records = tuple(_to_record(entity, row) for row in rows)
                self.cursors.advance(entity, [last_updated_time(row) for row in rows])
            except PayloadError as error:
                raise PollError(f"the response is invalid ({error})") from None
            yield PolledPage(records, self.cursors.to_text())
            is_full, position = len(rows) >= self.page_size, position + len(rows)

    def _get(self, path: str, query: dict[str, str]) -> Generator[PolledPage, None, Node]:
        request = HttpRequest(
            "GET",
            f"{self.company_url}/{path}",
            {**query, "minorversion": "75"},
            {"accept": "application/json"},
        )
        response = yield from self.requests.send(lambda _: request, self.cursors.to_text)
        return read_json_body_empty_list_if_204(response)


def _to_the_second(at: datetime) -> str:
    """Return a time in UTC without fractions of a second, as the documentation writes times."""
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def _to_record(name: str, row: Node) -> PolledRecord:
    """Return the row in a member of its name, as the API answers a request for one of them."""
    document = Node({name: row.value}, "", [False])
    return row_to_record(name, document, row.required_text("Id"), row.text_at("SyncToken"))
