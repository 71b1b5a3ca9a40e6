"""The recipes of CONTRIBUTING work, and touch exactly the files that they name."""

import json
from pathlib import Path

import pytest

from tests.processes.recipes.repository_copy import RepositoryCopy, assert_recipe_is_complete

# The copies start with the migrated database of this run.
pytestmark = [pytest.mark.slow, pytest.mark.django_db]
SHELVES = "tests/unit/test_shelves.py"
KPI_CONTRACT = "tests/unit/kpi/test_kpi_contract.py"
TILE = '''"""The number of orders received today."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.sdk.settings import Setting, SettingType
from visibility.boards.tile import Tile
from visibility.models import Order
from visibility.models.permission import Permission


class OrdersToday(Tile):
    """The number of orders of the last day."""

    code = "orders_today"
    title = "Orders today"
    kinds = ("order",)
    permission = Permission.PRICES
    settings = (
        Setting("limit", "Count at most so many.", SettingType.INTEGER, default="10", minimum=1),
    )

    def load_context(self, now: datetime) -> Mapping[str, Any]:
        """One bounded query."""
        limit = self.values.integer("limit")
        return {"orders": Order.objects.all()[:limit].count(), "limit": limit}
'''
TILE_TEST = '''"""The tile of today's orders."""

import pytest
from django.test import Client

from tests.builders.users import signed_in
from visibility.models import Board
from visibility.web.permissions import UserRole


@pytest.mark.django_db
def test_tile_is_on_a_board() -> None:
    Board.objects.create(slug="day", title="Day", tiles=[{"tile": "orders_today"}])
    page = signed_in(UserRole.OPERATIONS).get("/boards/day").content.decode()
    assert "0 of 10 orders so far" in page
    denied = signed_in(UserRole.INTEGRATOR).get("/boards/day").content.decode()
    assert "orders so far" not in denied
    Board.objects.update(tiles=[{"tile": "orders_today", "limit": 0}])
    page = signed_in(UserRole.OPERATIONS).get("/boards/day").content.decode()
    assert "limit: 0 is less than 1." in page
'''
CHANNEL = '''"""Append notifications to a list in memory."""

from typing import ClassVar

from connectors.sdk.settings import ParsedSettings, Setting, SettingType
from visibility.notify.channel import Channel, DeliveryFailed, OutgoingMessage

SENT: list[str] = []


class Memory(Channel):
    """Keep messages in memory."""

    code: ClassVar[str] = "memory"
    title: ClassVar[str] = "Memory"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("room", "Where messages go.", required=True, label="Room"),
        Setting("token", "Opens the room.", SettingType.SECRET, required=True, label="Token"),
    )

    def send(self, message: OutgoingMessage, settings: ParsedSettings) -> None:
        """Keep one message. Raises DeliveryFailed for a wrong token."""
        if settings.text("token") != "open":
            raise DeliveryFailed("wrong token")
        SENT.append(f"{settings.text('room')}: {message.subject}")
'''
CHANNEL_TEST = '''"""The channel in memory."""

from datetime import UTC, datetime

import pytest

from visibility.notify.channel import DeliveryFailed, OutgoingMessage
from visibility.notify.check_and_encrypt_channel_settings import parse_channel_settings_with_errors
from visibility.notify.channels.memory import SENT, Memory

LATE = OutgoingMessage("1", "late", "text", datetime(2026, 3, 4, tzinfo=UTC))


def test_message_is_stored() -> None:
    entered = {"room": "ops", "token": "open"}
    Memory().send(LATE, parse_channel_settings_with_errors(Memory(), entered))
    assert SENT == ["ops: late"]
    with pytest.raises(DeliveryFailed):
        Memory().send(LATE, parse_channel_settings_with_errors(Memory(), entered | {"token": "x"}))
    parsed = parse_channel_settings_with_errors(Memory(), {})
    assert [e.name for e in parsed.errors] == ["room", "token"]
'''
CHANNEL_FORM_TEST = '''"""The form of the channel in memory follows from its declaration."""

import pytest

from tests.builders.users import signed_in
from visibility.models import Subscription
from visibility.web.permissions import UserRole


@pytest.mark.django_db
def test_subscription_is_added_in_the_browser() -> None:
    ops = signed_in(UserRole.OPERATIONS)
    form = ops.get("/subscriptions/new/memory").content.decode()
    assert "form-control masked" in form
    entered = {"setting.room": "ops", "setting.token": "open", "enabled": "on"}
    ops.post("/subscriptions/new/memory", entered)
    assert Subscription.objects.get().stored_non_secret_settings == {"room": "ops"}
    assert "ops" in ops.get("/subscriptions").content.decode()
'''
CONNECTOR_CONTRACTS = (
    "tests/unit/connectors/test_contract.py",
    "tests/unit/connectors/test_manifest_contract.py",
)
CONNECTOR = '''"""Acme: webhooks with a shared token, one received order each."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from connectors.sdk.auth import check_token_matches_a_secret
from connectors.sdk.connector import Connector, ParseResult, RawMessage, SourceRole
from connectors.sdk.events import (
    CanonicalEvent,
    EventIdentifier,
    EventType,
    IdentifierScheme,
    ObjectKind,
    ObjectReference,
)
from connectors.sdk.payload import load_json
from connectors.sdk.timestamps import parse_timestamp
from connectors.sdk.webhook_and_poll_types import WebhookRequest


class Acme(Connector):
    """Orders of Acme."""

    slug = "acme"
    title = "Acme"
    role = SourceRole.SHOP
    reception = "webhooks with a token"
    stored_headers: ClassVar[frozenset[str]] = frozenset()

    def verify(self, request: WebhookRequest, secrets: Sequence[bytes], now: datetime) -> None:
        """Check the token."""
        check_token_matches_a_secret(request.headers.get("x-acme-token", ""), secrets)

    def dedupe_key(self, request: WebhookRequest) -> str:
        """The content decides."""
        return ""

    def parse(self, message: RawMessage) -> ParseResult:
        """Parse one order."""
        body = load_json(message.body)
        number = EventIdentifier(
            IdentifierScheme.WEB_ORDER, body.required_text("number"), self.source_slug
        )
        at = parse_timestamp(body.required_text("at"), "at", None)
        return ParseResult(
            (
                CanonicalEvent(
                    type=EventType.ORDER_RECEIVED,
                    key=f"order {number.value}",
                    occurred_at=at.time if at else None,
                    objects=(ObjectReference(ObjectKind.ORDER, (number,)),),
                ),
            )
        )
'''
CONNECTOR_TEST = '''"""Acme sends orders."""

from connectors.catalog import connectors_by_slug


def test_acme_is_on_the_shelf() -> None:
    assert connectors_by_slug()["acme"].title == "Acme"
'''
SAMPLE = {"headers": {}, "body": {"number": "A-1", "at": "2026-03-02T10:00:00Z"}}
SAMPLE_EVENT = {
    "type": "order.received",
    "key": "order A-1",
    "occurred_at": "2026-03-02T10:00:00.000000Z",
    "objects": [
        {
            "kind": "order",
            "identifiers": [
                {"scheme": "web_order", "issuer": "acme", "value": "A-1", "strong": True}
            ],
        }
    ],
    "lines": [],
    "part": "",
    "attributes": {},
    "revision": "",
    "raw_type": "",
    "flags": [],
    "corrects": [],
}
MANIFEST = """connector: acme
version: 1
title: Acme
role: shop
description: Orders of Acme.
receive:
  webhook:
    verify: {query_token: token}
read: {format: json}
order:
  numbers:
    - {scheme: web_order, value: number}
events:
  - type: order.received
    key: "order {number}"
    at: {value: at, zone: UTC}
examples:
  - {file: received.json, gives: [order.received]}
"""
RULE = '''"""Alert on sources whose parked messages may cost too much."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from visibility.sla.parameter_type import Money
from visibility.sla.parameters import parameter
from visibility.sla.rule import SourceCondition, Consequence, RuleSubject, SourceRule
from visibility.sla.source_snapshot import SourceSnapshot

COST_OF_A_MESSAGE = Decimal(5)


@dataclass(frozen=True)
class Params:
    """`limit`: the cost of parked messages that is tolerated."""

    limit: Money = parameter(
        Money(Decimal(100), "USD"),
        label="Limit",
        help="The tolerated cost of parked messages, at 5 for each.",
    )


class CostlyParked(SourceRule):
    """Parked messages of a source must not cost more than a limit."""

    code: ClassVar[str] = "costly_parked"
    title: ClassVar[str] = "Costly parked messages"
    subject: ClassVar[RuleSubject] = RuleSubject.SOURCE
    params_type: ClassVar[type[Any]] = Params
    sentence_template: ClassVar[str] = "Alert when parked messages of a source cost over {limit}."
    meaning: ClassVar[str] = "Orders wait for corrected messages."
    response: ClassVar[str] = "Replay the parked messages."
    team: ClassVar[str] = "Integration"
    consequences: ClassVar[tuple[Consequence, ...]] = (Consequence.REVENUE_LEAKAGE,)

    def conditions(self, source: SourceSnapshot, params: Params) -> Iterable[SourceCondition]:
        """Return one condition while the cost is over the limit."""
        if source.parked_count * COST_OF_A_MESSAGE > params.limit.amount:
            yield SourceCondition(source.as_of, source.as_of, subject=source.title)

    def alert_title(self, params: Params, subject: str) -> str:
        """Return the title of the alert."""
        return f"Parked messages of {subject} cost too much"
'''
RULE_TEST = '''"""Parked messages cost money."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.sdk.connector import SourceRole
from visibility.sla.parameter_type import Money
from visibility.sla.parameters import InvalidParameters
from visibility.sla.rules.costly_parked import CostlyParked, Params
from visibility.sla.source_snapshot import SourceSnapshot

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_limit_is_money() -> None:
    source = SourceSnapshot("wms", "Dallas", SourceRole.WMS, NOON, NOON, parked_count=21)
    rule = CostlyParked()
    assert [c.subject for c in rule.conditions(source, Params())] == ["Dallas"]
    higher = Params(limit=Money(Decimal(105), "USD"))
    assert not list(rule.conditions(source, higher))
    assert "105" in rule.sentence(higher)
    with pytest.raises(InvalidParameters, match="(?i)limit"):
        rule.parse_params({"limit": "much"})
'''
KPI = '''"""The fraction of orders that were cancelled."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from visibility.kpi.kpi import FlowKpi, KpiMeasurement, KpiUnit
from visibility.timeline import MilestoneCode, Status, Timeline


class CancelledOrders(FlowKpi):
    """The fraction of received orders that were cancelled."""

    code = "cancelled_orders"
    title = "Cancelled orders"
    unit = KpiUnit.PERCENT
    version = 1
    definition = (
        "Cancelled orders divided by received orders. An order counts on the day of its receipt, "
        "in the organization's time zone."
    )
    counted = "orders"
    higher_is_better = False
    no_value_reason = "no orders were received"

    def measure(self, timeline: Timeline, zone: str) -> KpiMeasurement | None:
        """Count one order."""
        received = timeline.milestone_reached_at(MilestoneCode.RECEIVED)
        if received is None:
            return None
        day = received.astimezone(ZoneInfo(zone)).date()
        cancelled = timeline.status is Status.CANCELLED
        return KpiMeasurement(day, Decimal(cancelled), Decimal(1))
'''
KPI_TEST = '''"""Cancelled orders count."""

from visibility.boards.tiles.kpi_number import KpiNumber
from visibility.kpi.registry import kpi_registry


def test_kpi_is_on_the_shelf_and_has_a_tile() -> None:
    assert kpi_registry()["cancelled_orders"].title == "Cancelled orders"
    assert KpiNumber({"kpi": "cancelled_orders"}).displayed_title == "Cancelled orders"
'''
LINE_KPI = '''"""The fraction of order lines that were shipped complete."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from connectors.sdk.events import Measure
from visibility.kpi.kpi import KpiMeasurement, KpiUnit, LineFlowKpi
from visibility.timeline import MilestoneCode, Timeline, TimelineLine


class ShippedLines(LineFlowKpi):
    """The fraction of ordered lines that were shipped complete, with the item of each."""

    code = "shipped_lines"
    title = "Shipped lines"
    unit = KpiUnit.PERCENT
    version = 1
    definition = (
        "Order lines that were shipped complete, divided by all order lines. A line counts on the "
        "day of the receipt of its order, in the organization's time zone."
    )
    higher_is_better = True
    no_value_reason = "no orders were received"

    def measure_line(
        self, timeline: Timeline, line: TimelineLine, zone: str
    ) -> KpiMeasurement | None:
        """Count one line."""
        received = timeline.milestone_reached_at(MilestoneCode.RECEIVED)
        if received is None:
            return None
        shipped = line.quantity(Measure.SHIPPED) >= line.quantity(Measure.ORDERED)
        day = received.astimezone(ZoneInfo(zone)).date()
        return KpiMeasurement(day, Decimal(shipped), Decimal(1))
'''
STOCK_KPI = '''"""The orders that are on hold, and since when."""

from visibility.kpi.kpi import OpenInterval, StockKpi
from visibility.timeline import Timeline


class OrdersOnHold(StockKpi):
    """The orders that are on hold at the end of a date range."""

    code = "orders_on_hold"
    title = "Orders on hold"
    version = 1
    definition = (
        "Orders that are on hold at an instant, and their age: the time since the hold began. The "
        "instant is the end of the date range, in the organization's time zone."
    )
    counted = "orders"
    higher_is_better = False
    no_value_reason = "no orders are on hold"

    def open_interval(self, timeline: Timeline) -> OpenInterval | None:
        """From the begin of the current hold."""
        return OpenInterval(timeline.on_hold_since) if timeline.on_hold_since else None
'''
MEASURE_KPI = '''"""The fraction of events that came with a time of their own."""

from decimal import Decimal

from connectors.sdk.events import Flag
from visibility.kpi.kpi import EventMeasurement, KpiUnit, MeasureKpi
from visibility.timeline import RecordedEvent


class TimedEvents(MeasureKpi):
    """The fraction of events that came with a time of their own."""

    code = "timed_events"
    title = "Events with a time"
    unit = KpiUnit.PERCENT
    version = 1
    definition = (
        "Events that came with a time of their own, divided by all events of orders. An event "
        "counts on the day when it occurred, in the organization's time zone."
    )
    higher_is_better = True

    def measure_event(self, recorded: RecordedEvent) -> EventMeasurement:
        """Count one event."""
        is_timed = Flag.TIME_RECEIVED not in recorded.event.flags
        return EventMeasurement(Decimal(is_timed), Decimal(1))
'''
UNIT_TEST_OF_KPI = '''"""The KPI counts an order that was received."""

from tests.builders.recorded_events import ordered
from tests.builders.timelines import folded
from visibility.kpi.registry import kpi_registry


def test_facts_have_different_subject_keys() -> None:
    facts = list(kpi_registry()["<code>"].measurements(folded(ordered({"A": 5, "B": 3})), "UTC"))
    assert len(facts) == len({fact.subject_key for fact in facts})
'''
FAMILY_KPI_TEST = '''"""The KPI counts stored messages, up to its page, its list and its tile."""

from datetime import timedelta

import pytest

from tests.builders.identity import START, create_sources, process_messages, source_message
from tests.builders.users import signed_in
from visibility.kpi import drilldown, facts_and_cells, query
from visibility.kpi.query import DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.models import Board
from visibility.web.permissions import UserRole

LINES = [{"line_id": str(n), "sku": "AB"[n], "ordered": 5} for n in range(2)]


@pytest.mark.django_db(transaction=True)
def test_kpi_has_a_value_a_page_a_list_and_a_tile() -> None:
    create_sources()
    process_messages(
        [
            source_message("erp", "order.received", 0, order="SO-1", lines=LINES),
            source_message("erp", "order.held", 1, order="SO-1"),
        ]
    )
    kpi = kpi_registry()["<code>"]
    end = START.date() + timedelta(days=2)
    assert query.summary(kpi, DaySpan(START.date(), end)).orders == <facts>
    assert facts_and_cells.find_kpi_days_with_wrong_cells() == []
    Board.objects.create(slug="day", title="Day", tiles=[{"tile": "kpi_number", "kpi": "<code>"}])
    client = signed_in(UserRole.EXECUTIVE)
    days = f"from={START.date()}&to={end}"
    for address in (f"/numbers/<code>?{days}", f"/numbers?{days}", "/boards/day"):
        assert kpi.title in client.get(address).content.decode()
    pages = [
        client.get(f"/numbers/<code>/orders?{days}&part={group}").content.decode()
        for group in drilldown.selectable_order_groups_of_kpi(kpi)
    ]
    assert sum(page.count("<tr>") - 1 for page in pages if "<tbody>" in page) == <facts>
'''
PAGE = '''"""The page that lists carriers."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.screens.carriers import queries
from visibility.web.permissions import Permission, require_permission


@require_GET
@require_permission(Permission.ORDERS)
def carriers_page(request: HttpRequest) -> HttpResponse:
    """`/carriers`: the carriers of recent orders."""
    return render(request, "carriers/page.html", {"carriers": queries.list_carriers()})


urlpatterns = [path("carriers", carriers_page, name="carriers")]
'''
PAGE_TEST = '''"""The page of carriers."""

import pytest

from tests.builders.users import signed_in
from visibility.web.permissions import UserRole


@pytest.mark.django_db
def test_page_is_in_the_navigation_and_opens() -> None:
    client = signed_in(UserRole.CUSTOMER_SERVICE)
    assert 'href="/carriers"' in client.get("/orders").content.decode()
    assert "No carriers yet." in client.get("/carriers").content.decode()
'''
JOB = '''

def count_orders_once() -> int:
    """Count the orders."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM visibility_order")
        return int(cursor.fetchone()[0])


'''
JOB_TEST = """
@pytest.mark.django_db
def test_orders_are_counted() -> None:
    assert BY_NAME["count_orders"].every == 60
    assert import_string(BY_NAME["count_orders"].function)() == 0


"""


@pytest.fixture
def repository(tmp_path: Path) -> RepositoryCopy:
    return RepositoryCopy(tmp_path)


def test_adding_a_tile(repository: RepositoryCopy) -> None:
    repository.write("visibility/boards/tiles/orders_today.py", TILE)
    repository.write(
        "templates/tiles/orders_today.html", "<p>{{ d.orders }} of {{ d.limit }} orders so far</p>"
    )
    repository.write("tests/db/boards/tiles/test_orders_today.py", TILE_TEST)
    repository.add_name(SHELVES, "TILES", "orders_today")
    repository.run_tests(SHELVES, "tests/db/boards/tiles")
    assert_recipe_is_complete(repository, "A tile", {"code": "orders_today"})


def test_adding_a_notification_channel(repository: RepositoryCopy) -> None:
    repository.write("visibility/notify/channels/memory.py", CHANNEL)
    repository.write("tests/unit/notify/channels/test_memory.py", CHANNEL_TEST)
    repository.add_name(SHELVES, "CHANNELS", "memory")
    repository.run_tests(SHELVES, "tests/unit/notify/channels")
    touched = set(repository.touched)
    repository.write("tests/db/notify/test_memory_form.py", CHANNEL_FORM_TEST)
    repository.run_tests("tests/db/notify/test_memory_form.py")
    repository.touched = touched
    assert_recipe_is_complete(repository, "A notification channel", {"code": "memory"})


def test_adding_a_connector(repository: RepositoryCopy) -> None:
    folder = "connectors/systems/acme"
    repository.write(f"{folder}/__init__.py", '"""Acme."""\n')
    repository.write(f"{folder}/connector.py", CONNECTOR)
    repository.write(f"{folder}/samples/received.json", json.dumps(SAMPLE))
    events = json.dumps({"events": [SAMPLE_EVENT]})
    repository.write(f"{folder}/samples/received.events.json", events)
    repository.write("tests/unit/connectors/systems/test_acme.py", CONNECTOR_TEST)
    repository.add_name(SHELVES, "CONNECTORS", "acme")
    repository.run_command("connector_docs")
    repository.run_tests(
        SHELVES,
        *CONNECTOR_CONTRACTS,
        "tests/unit/connectors/systems/test_acme.py",
        "-k",
        "acme or shelves",
    )
    assert_recipe_is_complete(repository, "A connector", {"slug": "acme", "name": "received"})


def test_adding_a_connector_without_code(repository: RepositoryCopy) -> None:
    folder = "connectors/systems/acme"
    repository.write(f"{folder}.yaml", MANIFEST)
    repository.write(f"{folder}/samples/received.json", json.dumps(SAMPLE["body"]))
    repository.write(
        f"{folder}/samples/received.events.json", json.dumps({"events": [SAMPLE_EVENT]})
    )
    repository.add_name(SHELVES, "MANIFESTS", "acme")
    repository.run_command("source", "lint", f"{folder}.yaml")
    repository.run_command("connector_docs")
    repository.run_tests(SHELVES, *CONNECTOR_CONTRACTS, "-k", "acme or shelves")
    names = {"slug": "acme", "name": "received"}
    assert_recipe_is_complete(repository, "A connector without code", names)


def test_adding_a_rule_about_sources_with_a_money_parameter(repository: RepositoryCopy) -> None:
    repository.write("visibility/sla/rules/costly_parked.py", RULE)
    repository.write("tests/unit/sla/rules/test_costly_parked.py", RULE_TEST)
    repository.add_name(SHELVES, "RULES", "costly_parked")
    repository.run_tests(
        SHELVES,
        "tests/unit/sla/rules/test_costly_parked.py",
        "tests/unit/sla/test_rule_contract.py",
    )
    assert_recipe_is_complete(repository, "An SLA rule", {"code": "costly_parked"})


def test_adding_a_kpi(repository: RepositoryCopy) -> None:
    repository.write("visibility/kpi/definitions/cancelled_orders.py", KPI)
    repository.write("tests/unit/kpi/definitions/test_cancelled_orders.py", KPI_TEST)
    repository.add_name(SHELVES, "KPIS", "cancelled_orders")
    repository.run_tests(
        SHELVES, "tests/unit/kpi/definitions/test_cancelled_orders.py", KPI_CONTRACT
    )
    assert_recipe_is_complete(repository, "A KPI", {"code": "cancelled_orders"})


@pytest.mark.parametrize(
    ("code", "definition", "facts"),
    [
        ("shipped_lines", LINE_KPI, 2),
        ("orders_on_hold", STOCK_KPI, 1),
        ("timed_events", MEASURE_KPI, 2),
    ],
)
def test_adding_a_kpi_of_each_family(
    repository: RepositoryCopy, code: str, definition: str, facts: int
) -> None:
    test = f"tests/unit/kpi/definitions/test_{code}.py"
    repository.write(f"visibility/kpi/definitions/{code}.py", definition)
    repository.write(test, UNIT_TEST_OF_KPI.replace("<code>", code))
    repository.add_name(SHELVES, "KPIS", code)
    repository.run_tests(SHELVES, KPI_CONTRACT, test)
    check = FAMILY_KPI_TEST.replace("<code>", code).replace("<facts>", str(facts))
    (repository.folder / "tests/db/kpi/test_new_kpi.py").write_text(check)
    repository.run_tests("tests/db/kpi/test_new_kpi.py")
    assert_recipe_is_complete(repository, "A KPI", {"code": code})


def test_adding_a_screen(repository: RepositoryCopy) -> None:
    queries = '"""Queries of the page."""\n\n\ndef list_carriers() -> list[str]:\n    return []\n'
    repository.write("visibility/screens/carriers/__init__.py", '"""The carriers page."""\n')
    repository.write("visibility/screens/carriers/queries.py", queries)
    repository.write("visibility/web/pages/carriers.py", PAGE)
    repository.write(
        "templates/carriers/page.html",
        '{% extends "base.html" %}{% block main %}<p>No carriers yet.</p>{% endblock %}',
    )
    repository.insert(
        "visibility/web/screen_registry.py",
        before='    Screen("health_and_metrics"),',
        text='    Screen("carriers", NavigationEntry("Carriers", "/carriers", "c", "table", '
        "Permission.ORDERS)),\n",
    )
    repository.write("tests/db/web/test_carriers.py", PAGE_TEST)
    repository.run_tests("tests/db/web/test_carriers.py")
    assert_recipe_is_complete(repository, "A screen", {"page": "carriers"})


def test_screen_without_a_module_stops_the_start(repository: RepositoryCopy) -> None:
    repository.insert(
        "visibility/web/screen_registry.py",
        before='    Screen("health_and_metrics"),',
        text='    Screen("nothing"),\n',
    )
    with pytest.raises(AssertionError, match=r"visibility\.web\.pages\.nothing"):
        repository.run_tests("tests/db/web/test_health.py")


def test_adding_a_job(repository: RepositoryCopy) -> None:
    repository.insert(
        "visibility/pipeline/job_functions.py", before="def collect_files", text=JOB.lstrip()
    )
    repository.insert(
        "visibility/pipeline/jobs.py",
        before='    Job("end_stuck_sessions"',
        text='    Job("count_orders", f"{_STAGES}.count_orders_once", every=60),\n',
    )
    repository.insert(
        "tests/db/pipeline/test_jobs.py",
        before="def test_a_nudge_without_a_job_is_an_error",
        text=JOB_TEST.lstrip(),
    )
    repository.run_tests("tests/db/pipeline/test_jobs.py")
    assert_recipe_is_complete(repository, "A job", {})
