"""Every polling mechanism over HTTP: an answer that fails or contradicts itself loses no row.

One request of a poll gets HTML, half a document, no document, 401, 429 or 500, or all answers have
wrong totals. What the failed poll stored and what the next one reads are together all rows.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from connectors.catalog import connectors_by_slug
from connectors.sdk.connector import Connector
from connectors.sdk.webhook_and_poll_types import PollContext, PolledPage, PollError
from tests.builders.extensiv_server import ExtensivServer
from tests.builders.frappe_server import FrappeServer
from tests.builders.netsuite_server import NetSuiteServer
from tests.builders.odoo_server import OdooServer
from tests.builders.quickbooks_server import QuickBooksServer
from tests.builders.salesforce_server import SalesforceServer
from tests.builders.sap_server import SapServer
from tests.builders.shipbob_server import TOKEN, ShipBobServer
from tests.builders.shiphero_server import ShipHeroServer
from tests.builders.tryton_server import FakeTrytonServer
from tests.builders.vendor_server import Answer, VendorRequest, VendorServer
from tests.builders.xero_server import TENANT, XeroServer
from tests.unit.connectors.systems import (
    test_erpnext,
    test_netsuite,
    test_odoo,
    test_sap_s4hana,
    test_tryton,
)
from tests.unit.outbound import test_poll_of_shiphero
from visibility.ingest.access_tokens import AccessTokens
from visibility.outbound.http_client import OutgoingHttpClient

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
AT = datetime(2026, 3, 20, 10, tzinfo=UTC)
FAULTS = {
    "html": Answer(200, b"<html>Sign in</html>", {"content-type": "text/html"}),
    "half": Answer(200, b'{"items": [{"id": 1, "chan'),
    "nothing": Answer(200, b""),
    "401": Answer(401, {}),
    "429": Answer(429, {}, {"retry-after": "1"}),
    "500": Answer(500, {}),
}
FAULT_NAMES = tuple(FAULTS)
TOTAL = re.compile(r"total|totalresults|total_count|totalsize|count|__count", re.IGNORECASE)
ACCOUNT = {"client_id": "client", "client_secret": "client-secret"}
PAGES = {"page_size": "2", "overlap_minutes": "0"}


@dataclass
class FailingVendor:
    """A vendor with rows, and how a poll of its connector begins."""

    server: VendorServer
    slug: str
    settings: Callable[[], dict[str, str]]
    secrets: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        self.tokens = AccessTokens()
        self.requests = 0
        self.fault_at, self.fault = 0, FAULTS["500"]
        self.total_change = 0
        self.healthy_answer = self.server.answer
        self.server.answer = self.answer  # type: ignore[method-assign] # some answers are wrong

    def answer(self, request: VendorRequest) -> Answer:
        if request.path == "/token":
            return self.healthy_answer(request)
        self.requests += 1
        if self.requests == self.fault_at:
            return self.fault
        answer = self.healthy_answer(request)
        if not self.total_change or answer.status != 200:
            return answer
        return Answer(200, self._with_wrong_totals(answer.content), answer.headers)

    def _with_wrong_totals(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._with_wrong_totals(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: max(0, item + self.total_change)
            if isinstance(item, int) and TOTAL.fullmatch(name)
            else self._with_wrong_totals(item)
            for name, item in value.items()
        }

    def connector(self) -> Connector:
        return connectors_by_slug()[self.slug]({"source": self.slug, **self.settings()})

    def poll(self, cursor: str = "") -> tuple[list[PolledPage], PollError | None]:
        """Poll once; return the pages, and the error that ended the poll."""
        self.requests = 0
        pages: list[PolledPage] = []
        context = PollContext(NOW, tokens=self.tokens)
        client = OutgoingHttpClient()
        try:
            pages.extend(
                self.connector().poll_with_context(client, cursor, list(self.secrets), context)
            )
        except PollError as error:
            return pages, error
        return pages, None


def xero() -> FailingVendor:
    server = XeroServer()
    for number in range(5):
        server.add("Invoices", f"i{number}", AT + timedelta(seconds=number // 2), Type="ACCREC")
    return FailingVendor(
        server,
        "xero",
        lambda: {
            **ACCOUNT,
            **PAGES,
            "base_url": server.url,
            "token_url": f"{server.url}/token",
            "tenant_id": TENANT,
            "refresh_token": server.refresh_token,
        },
    )


def quickbooks() -> FailingVendor:
    server = QuickBooksServer()
    for number in range(1, 6):
        at = AT.astimezone(timezone(timedelta(hours=-7))) + timedelta(minutes=number)
        server.add("Invoice", str(number), at)
    return FailingVendor(
        server,
        "quickbooks",
        lambda: {
            **ACCOUNT,
            "page_size": "2",
            "base_url": server.url,
            "token_url": f"{server.url}/token",
            "realm_id": "912000",
            "refresh_token": server.refresh_token,
        },
    )


def salesforce() -> FailingVendor:
    server = SalesforceServer()
    for number in range(1, 6):
        server.add("Order", f"o{number}", f"2026-03-02T10:00:0{number}.250+0000")
    account = {"client_id": "key", "client_secret": "consumer-secret", "overlap_minutes": "0"}
    return FailingVendor(server, "salesforce", lambda: {**account, "base_url": server.url})


def extensiv() -> FailingVendor:
    server = ExtensivServer()
    for number in range(1, 6):
        server.add(number, f"2026-03-02T10:00:0{number // 2}")
    return FailingVendor(
        server,
        "extensiv",
        lambda: {**ACCOUNT, **PAGES, "base_url": server.url, "user_login_id": "12"},
    )


def shipbob() -> FailingVendor:
    server = ShipBobServer()
    for number in range(1, 6):
        server.add(number, f"2026-03-18T10:0{number}:00+00:00")
    access = {"base_url": server.url, "api_token": TOKEN}
    return FailingVendor(server, "shipbob", lambda: {**PAGES, **access})


def shiphero() -> FailingVendor:
    server = ShipHeroServer()
    test_poll_of_shiphero.add_shipments(server, 9, 14, 10, 11, 12)
    return FailingVendor(
        server,
        "shiphero",
        lambda: {**PAGES, "base_url": server.url, "refresh_token": server.refresh_token},
    )


def netsuite() -> FailingVendor:
    server = NetSuiteServer()
    server.rows = [test_netsuite.row("SalesOrd", str(n)) for n in range(1, 6)]
    server.lines = [test_netsuite.line(transaction="1", line=str(n)) for n in range(1, 8)]
    access = {"account": "1234567_sb1", "consumer_key": "consumer", "consumer_secret": "cs"}
    return FailingVendor(
        server,
        "netsuite",
        lambda: {**access, "base_url": server.url, "token_id": "token", "page_size": "2"},
        (test_netsuite.SECRET,),
    )


def odoo() -> FailingVendor:
    orders = [test_odoo.order(n, f"2026-03-02 09:00:0{n // 3}.25") for n in range(8, 14)]
    server = OdooServer(test_odoo.tables(*orders))
    access = {"database": "shop", "user": "reader", "api_key": "key-1", "page_size": "2"}
    return FailingVendor(server, "odoo", lambda: {**access, "base_url": server.url})


def tryton() -> FailingVendor:
    tables: dict[str, list[dict[str, Any]]] = {
        "sale.sale": [test_tryton.sale(n, f"2026-03-02T10:00:0{n // 2}") for n in range(1, 6)],
        **{name: [] for name in ("stock.shipment.out", "stock.shipment.out.return")},
        **{name: [] for name in ("account.invoice", "sale.line")},
    }
    server = FakeTrytonServer(tables)
    access = {"database": "shop", "user": "reader", "page_size": "2"}
    return FailingVendor(
        server, "tryton", lambda: {**access, "base_url": server.url}, (test_tryton.PASSWORD,)
    )


def erpnext() -> FailingVendor:
    orders = [test_erpnext.order(f"SO/{n}", f"2026-03-02 09:00:0{n // 2}.5") for n in range(5)]
    server = FrappeServer({"Sales Order": orders, "Delivery Note": [], "Sales Invoice": []})
    access = {"api_key": "key:secret", "page_size": "2"}
    return FailingVendor(server, "erpnext", lambda: {**access, "base_url": server.url})


def sap() -> FailingVendor:
    server = SapServer()
    at = "2026-03-02T10:00:00"
    server.tables["A_SalesOrder"] = [test_sap_s4hana.order(str(n), at) for n in range(1, 8)]
    access = {"user": "READER", "password": "p-1"}
    return FailingVendor(server, "sap_s4hana", lambda: {**access, "base_url": server.base_url})


VENDORS = (
    *(xero, quickbooks, salesforce, extensiv, shipbob, shiphero),
    *(netsuite, odoo, tryton, erpnext, sap),
)


@pytest.fixture(params=VENDORS, ids=lambda make: make.__name__)
def vendor(request: pytest.FixtureRequest, settings: Settings) -> Iterator[FailingVendor]:
    failing: FailingVendor = request.param()
    settings.OUTGOING_ALLOWED = [failing.server.address]
    yield failing
    failing.server.close()


def keys(pages: Sequence[PolledPage]) -> set[str]:
    return {record.dedupe_key for page in pages for record in page.records}


def read_after_failure(vendor: FailingVendor, stored: list[PolledPage]) -> set[str]:
    """The rows of a failed poll, and those that the next poll reads from its cursor."""
    vendor.fault_at, vendor.total_change = 0, 0
    pages, error = vendor.poll(stored[-1].cursor if stored else "")
    assert error is None, error
    return keys(stored) | keys(pages)


def check_is_plain(error: PollError) -> None:
    assert re.fullmatch(r"[^\n]{5,300}", str(error)), error
    assert not re.search(r"NoneType|Traceback|object at 0x|Error\(|KeyError", str(error)), error


def test_a_request_that_fails_loses_no_row(vendor: FailingVendor) -> None:
    pages, error = vendor.poll()
    expected, count = keys(pages), vendor.requests
    assert error is None
    assert len(expected) >= 5
    failures = 0
    for number in range(1, min(count, 6) + 1):
        for name in (FAULT_NAMES[number % 6], FAULT_NAMES[(number + 3) % 6]):
            fault = FAULTS[name]
            vendor.fault_at, vendor.fault = number, fault
            stored, error = vendor.poll()
            if error is not None:
                failures += 1
                check_is_plain(error)
            # A stored token saves a request, and a refused one is replaced.
            is_met = vendor.requests >= number and name != "401"
            assert error is not None or not is_met, f"{name} at request {number}"
            assert read_after_failure(vendor, stored) == expected, f"{name} at request {number}"
    assert failures


@pytest.mark.parametrize("change", [-100, 20], ids=["too few", "too many"])
def test_wrong_totals_lose_no_row(vendor: FailingVendor, change: int) -> None:
    expected = keys(vendor.poll()[0])
    vendor.total_change = change
    stored, error = vendor.poll()
    if error is not None:
        check_is_plain(error)
    assert read_after_failure(vendor, stored) == expected
    assert error is not None or keys(stored) == expected
