"""The filters of the order list: the same rows on the page, in exports and in the API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils.http import urlencode
from pytest_django.fixtures import Settings

from tests.builders.alerts import alert, order
from tests.builders.listed_orders import read_csv_export, walk_pages
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import Event, EventObjectLink, Milestone, Order, OrderLine, Shipment
from visibility.screens.orders.order_filters import ORDER_FILTERS
from visibility.web.api.schema_and_docs import openapi_document
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def olga() -> Client:
    return signed_in(UserRole.OPERATIONS, "olga")


@pytest.fixture
def now() -> datetime:
    return database_now()


def midnight_utc(moment: datetime) -> datetime:
    """How a promised date without a time is stored."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def report_event(of: Order, slug: str) -> None:
    """Record an event of a source about the order."""
    source = create_source(slug)
    at = database_now()
    Event.objects.create(
        id=1,
        source=source,
        key="1",
        content_hash="",
        type="order.created",
        occurred_at=at,
        received_at=at,
        message_id=1,
        data={},
    )
    EventObjectLink.objects.create(object=of.object, event_id=1, occurred_at=at, ref=0)


@pytest.fixture
def first(now: datetime) -> Order:
    """An order that each filter below finds, beside one that none finds."""
    other = order(
        "SO-2",
        status="shipped",
        states=["shipped"],
        customer_name="Other",
        promised_at=midnight_utc(now) + 40 * DAY,
        ordered_at=now - 20 * DAY,
        total=Decimal(10),
        is_open=False,
    )
    Milestone.objects.create(order=other, code="delivered", reached_at=now)
    Milestone.objects.create(order=other, code="shipped", planned_at=now)
    listed = order(
        "SO-1",
        status="backordered",
        states=["backordered"],
        channel="edi",
        warehouse="Dallas",
        carrier="UPS",
        customer_no="C1",
        customer_group="Key accounts",
        promised_at=midnight_utc(datetime(2026, 3, 4, tzinfo=UTC)),
        ordered_at=now - 5 * DAY,
        total=Decimal("99.5"),
    )
    OrderLine.objects.create(order=listed, key="1", position=1, sku="A-1", ordered=5)
    Milestone.objects.create(order=listed, code="shipped", reached_at=now)
    Shipment.objects.create(order=listed, key="S", tracking=["1Z"], shipped_at=now - DAY)
    alert(of=listed)
    report_event(listed, "shop")
    return listed


# Each filter with a value that finds only the first order.
FINDS_FIRST: dict[str, str] = {
    "status": "backordered",
    "state": "backordered",
    "without": "shipped",
    "channel": "edi",
    "warehouse": "Dallas",
    "carrier": "UPS",
    "customer": "C1",
    "group": "Key accounts",
    "item": "A-1",
    "source": "shop",
    "reached": "shipped",
    "not_reached": "delivered",
    "promise_from": "2026-03-04&promise_to=2026-03-04",
    "promise_to": "2026-03-04",
    "min_age": "5&max_age=6",
    "max_age": "6",
    "min_value": "50",
    "max_value": "99.5&min_value=99.5",
    "since": "2026-01-02T00:00:00Z&channel=edi",
    "until": "2190-01-02T00:00:00Z&channel=edi",
    "alert": "1",
    "late": "1",
    "undelivered": "1",
    "open": "1",
    "no_scan": "1",
}
# Their meaning is tested where the page links to them; cut-offs: tests/db/boards/tiles; risks and
# duplicates: tests/db/web/test_orders_at_risk.py.
ONLY_ON_THE_PAGE_TESTED = {"due_today", "at_risk", "unknown", "duplicate", "cutoff"}


def test_every_filter_is_tested() -> None:
    assert {*FINDS_FIRST, *ONLY_ON_THE_PAGE_TESTED} == set(ORDER_FILTERS)


@pytest.mark.parametrize("name", FINDS_FIRST)
def test_page_export_and_api_find_the_same_orders(olga: Client, first: Order, name: str) -> None:
    query = f"{name}={FINDS_FIRST[name]}"
    assert walk_pages(olga, f"/orders?{query}") == [first.pk]
    heading, rows = read_csv_export(olga.get(f"/orders/export?format=csv&{query}"))
    assert [row["Order"] for row in rows] == ["SO-1"]
    assert ORDER_FILTERS[name].label in heading["Filters"]
    listed = olga.get(f"/api/v1/orders?{query}")
    assert listed.status_code == 200, listed.content
    assert [item["number"] for item in listed.json()["items"]] == ["SO-1"]
    _, rows = read_csv_export(olga.get(f"/api/v1/orders/export?format=csv&{query}"))
    assert [row["Order"] for row in rows] == ["SO-1"]
    saved = olga.post(
        "/api/v1/saved-views",
        {"list": "orders", "name": name, "query": query},
        "application/json",
    )
    assert saved.status_code == 201, saved.content
    page = olga.get(f"/orders?{query}").content.decode()
    assert ORDER_FILTERS[name].label in page


def test_promise_range_has_whole_days_of_the_organization(olga: Client, settings: Settings) -> None:
    """A promise of a date is stored as midnight UTC; one of a time counts by the local day."""
    settings.TIME_ZONE = "America/Chicago"
    bare = order("SO-1", promised_at=datetime(2026, 3, 4, tzinfo=UTC))
    evening = order("SO-2", promised_at=datetime(2026, 3, 5, 3, tzinfo=UTC))
    following = order("SO-3", promised_at=datetime(2026, 3, 5, tzinfo=UTC))
    listed = walk_pages(olga, "/orders?promise_from=2026-03-04&promise_to=2026-03-04&sort=number")
    assert listed == [bare.pk, evening.pk]
    assert walk_pages(olga, "/orders?promise_from=2026-03-05") == [following.pk]


def test_several_values_of_a_filter_mean_any_of_them(olga: Client) -> None:
    first, second = order("SO-1", channel="edi"), order("SO-2", channel="web")
    order("SO-3", channel="inside")
    query = "channel=edi&channel=web"
    assert walk_pages(olga, f"/orders?{query}&sort=number") == [first.pk, second.pk]
    items = olga.get(f"/api/v1/orders?{query}&sort=number").json()["items"]
    assert [item["number"] for item in items] == ["SO-1", "SO-2"]


WRONG = {
    "status": "planet",
    "reached": "planet",
    "source": "planet",
    "promise_from": "2026-13-01",
    "promise_to": "0001-01-01",
    "min_age": "-1",
    "max_age": "99999999999999999999",
    "min_value": "1e5",
    "max_value": "much",
    "late": "yes",
    "item": "x" * 251,
}


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_wrong_value_is_an_error_at_its_chip_and_400_in_the_api(
    olga: Client, name: str, value: str
) -> None:
    shown = order("SO-1")
    query = urlencode({name: value})
    page = olga.get(f"/orders?{query}").content.decode()
    chip = page.partition('class="chip chip-wrong')[2].partition("</a>")[0]
    assert f">{ORDER_FILTERS[name].label}<" in chip
    assert value[:40] in chip
    assert ", not applied" in chip
    assert walk_pages(olga, f"/orders?{query}") == [shown.pk]
    for address in ("/api/v1/orders?", "/api/v1/orders/export?format=csv&"):
        answer = olga.get(f"{address}{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["path"] == name
    # An export would have rows that the person filtered out.
    for kind in ("csv", "ocel-json"):
        response = olga.get(f"/orders/export?format={kind}&{query}")
        assert response.headers["location"] == f"/orders?{query}"


def test_wrong_value_stays_in_its_field_of_the_form(olga: Client) -> None:
    order("SO-1")
    page = olga.get("/orders?min_value=much").content.decode()
    field = page.partition('name="min_value"')[2].partition("</label>")[0]
    assert 'value="much"' in field
    assert 'aria-invalid="true"' in field
    assert "“much” must be an amount such as 1250 or 99.50." in field


def test_amounts_need_the_prices_permission(olga: Client) -> None:
    order("SO-1", total=Decimal(5))
    blind = signed_in(UserRole.INTEGRATOR)
    page = blind.get("/orders?min_value=50").content.decode()
    assert "is not available for your role, not applied" in page
    assert 'name="min_value"' not in page
    answer = blind.get("/api/v1/orders?q=SO-1&min_value=50")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == "min_value"
    assert 'name="min_value"' in olga.get("/orders").content.decode()


def test_filters_with_choices_and_suggestions_by_api(olga: Client) -> None:
    OrderLine.objects.create(
        order=order("SO-1", channel="edi", customer_no="C1"), key="1", position=1, sku="A-1"
    )
    create_source("shop")
    filters: dict[str, Any] = {
        each["name"]: each for each in olga.get("/api/v1/lists/orders/filters").json()["filters"]
    }
    assert set(filters) == set(ORDER_FILTERS)
    assert filters["channel"]["suggestions"] == [{"value": "edi", "label": "EDI"}]
    assert filters["item"]["suggestions"] == [{"value": "A-1", "label": "A-1"}]
    assert [each["value"] for each in filters["source"]["suggestions"]] == ["shop"]
    assert filters["customer"]["suggestions"][0]["value"] == "Acme Tools"
    assert {"value": "on_hold", "label": "On hold"} in filters["state"]["choices"]
    executive = signed_in(UserRole.EXECUTIVE).get("/api/v1/lists/orders/filters").json()
    named = {each["name"]: each for each in executive["filters"]}
    assert named["customer"]["suggestions"] == [{"value": "C1", "label": "C1"}]


def test_filters_are_parameters_of_the_openapi_document() -> None:
    for path in ("/api/v1/orders", "/api/v1/orders/export"):
        declared = {
            each["name"]: each["schema"]
            for each in openapi_document()["paths"][path]["get"]["parameters"]
        }
        assert set(ORDER_FILTERS) <= set(declared)
        assert declared["promise_from"] == {"type": "string", "format": "date"}
        assert declared["reached"]["items"]["enum"][0] == "received"
        assert declared["max_age"] == {"type": "integer", "minimum": 1}
