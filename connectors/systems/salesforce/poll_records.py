"""Polls orders and won opportunities of Salesforce by SOQL."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urljoin, urlsplit

from connectors.sdk.authorized_requests import AuthorizedRequests
from connectors.sdk.collection_polling import CollectionCursors, row_to_record, rows_or_error
from connectors.sdk.http_responses import read_json_body_empty_list_if_204
from connectors.sdk.payload import PayloadError
from connectors.sdk.webhook_and_poll_types import (
    TOO_MANY_REQUESTS,
    HttpClient,
    HttpRequest,
    HttpResponse,
    PolledPage,
    PollError,
)
from connectors.systems.salesforce.records import changed_at

ORDER_FIELDS = (
    "Id, OrderNumber, Status, StatusCode, PoNumber, OrderReferenceNumber, TotalAmount, AccountId, "
    "Account.Name, Account.AccountNumber, CreatedDate, ActivatedDate, SystemModstamp{fields}, "
    "(SELECT Id, Quantity, UnitPrice, Product2.ProductCode, Product2.Name FROM OrderItems)"
)
OPPORTUNITY_FIELDS = (
    "Id, Name, StageName, IsWon, Amount, AccountId, Account.Name, Account.AccountNumber, "
    "CloseDate, LastStageChangeDate, SystemModstamp{fields}"
)
# The limit of a day moves on by and by: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm
LIMIT_PAUSE_SECONDS = "900"


@dataclass(frozen=True, slots=True)
class SalesforceQuery:
    """What to read of an object: its fields, and a condition."""

    name: str
    fields: str
    condition: str = ""

    def soql(self, since: datetime | None) -> str:
        """Return the query of what changed since a time, oldest change first."""
        conditions = [self.condition] if self.condition else []
        if since:
            # With milliseconds, as the times of the answers.
            at = f"{since:%Y-%m-%dT%H:%M:%S}.{since.microsecond // 1000:03}Z"
            conditions.append(f"SystemModstamp >= {at}")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {self.fields} FROM {self.name}{where} ORDER BY SystemModstamp, Id"  # noqa: S608  # SOQL reads only, and names are checked


@dataclass(frozen=True, slots=True)
class ClientWithUsualLimitStatus:
    """Answers 429 in place of 403 with REQUEST_LIMIT_EXCEEDED, which is no lack of permission."""

    http: HttpClient

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the response."""
        response = self.http.send(request)
        if response.status != 403 or b"REQUEST_LIMIT_EXCEEDED" not in response.body:
            return response
        headers = {**response.headers, "retry-after": LIMIT_PAUSE_SECONDS}
        return replace(response, status=TOO_MANY_REQUESTS, headers=headers)


def poll_records(
    requests: AuthorizedRequests,
    cursors: CollectionCursors,
    queries: tuple[SalesforceQuery, ...],
    *,
    query_url: str,
    overlap: timedelta,
    start: str,
) -> Iterator[PolledPage]:
    """Yield the pages of every query. The rows of a query are a snapshot, in up to 2000 a page.

    Raises PollError.
    """
    for query in queries:
        soql = query.soql(cursors.since(query.name, overlap, start))
        request = HttpRequest("GET", query_url, {"q": soql}, {"accept": "application/json"})
        visited = set[str]()
        while True:
            response = yield from requests.send(lambda _, request=request: request, cursors.to_text)  # type: ignore[misc] # bound at once
            document = read_json_body_empty_list_if_204(response)
            rows = rows_or_error(document, "records")
            try:
                times = [changed.time if (changed := changed_at(row)) else None for row in rows]
                records = tuple(
                    row_to_record(query.name, row, row.text_at("Id"), row.text_at("SystemModstamp"))
                    for row in rows
                )
                following = document.text_at("nextRecordsUrl")
            except PayloadError as error:
                raise PollError(f"the response is invalid ({error})") from None
            cursors.advance(query.name, times)
            yield PolledPage(records, cursors.to_text())
            if not following:
                break
            url = urljoin(query_url, following)
            if urlsplit(url)[:2] != urlsplit(query_url)[:2] or url in visited:
                raise PollError("the link to the next page is wrong")
            visited.add(url)
            request = HttpRequest("GET", url, {}, {"accept": "application/json"})
