"""A rule, KPI, tile or channel that raises is recorded on itself and stops nobody else."""

import importlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

import visibility.boards.tiles
import visibility.kpi.definitions
import visibility.notify.channels
import visibility.sla.rules
from tests.builders.alerts import alert
from tests.builders.sla_rules import create_rule
from tests.builders.users import signed_in
from tests.builders.watched_source import send_and_process
from visibility.boards.tile_registry import tile_registry
from visibility.db.database_time import database_now
from visibility.kpi.registry import kpi_registry
from visibility.models import (
    Board,
    FailedClock,
    FailedKpi,
    KpiFact,
    Notification,
    NotificationState,
    Order,
    SlaClock,
    Source,
    Subscription,
)
from visibility.notify import outbox
from visibility.pipeline import job_functions
from visibility.sla.registry import rule_kinds
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
Register = Callable[[ModuleType, str, str], None]
KPI = '''
from datetime import date
from decimal import Decimal
from visibility.kpi.kpi import FlowKpi, KpiMeasurement, KpiUnit

class Failing(FlowKpi):
    """A KPI with a defect."""
    code = "failing_kpi"
    title = "Failing KPI"
    unit = KpiUnit.PERCENT
    version = 1
    definition = "Orders."
    counted = "orders"
    higher_is_better = True

    def measure(self, timeline, zone):
        {body}
'''
RULE = '''
from dataclasses import dataclass
from datetime import datetime, timedelta
from visibility.sla.rule import Clock, Consequence, OrderRule, RuleSubject

@dataclass(frozen=True)
class Nothing:
    pass

class FailingRule(OrderRule):
    """A rule with a defect."""
    code = "failing_rule"
    title = "Failing rule"
    subject = RuleSubject.ORDER
    params_type = Nothing
    sentence_template = "Never."
    meaning = response = "Nothing."
    team = "Warehouse"
    consequences = (Consequence.MANUAL_WORK,)

    def clocks(self, timeline, params, calendar):
        {body}

    def alert_title(self, params, subject):
        return "Never"
'''
TILE = '''
from visibility.boards.tile import Tile

class FailingTile(Tile):
    """A tile with a defect."""
    code = "failing_tile"
    title = "Failing tile"
    kinds = ("order",)
    {body}
'''
CHANNEL = '''
from visibility.notify.channel import Channel

class FailingChannel(Channel):
    """A channel with a defect."""
    code = "failing_channel"
    title = "Pager"

    def send(self, message, address):
        raise KeyError("pager")
'''


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """Adds a plugin to its shelf, as a file of an installation would."""
    registries: tuple[Any, ...] = (
        kpi_registry, rule_kinds, tile_registry,
        outbox.channel_registry,
    )  # fmt: skip
    added: list[str] = []

    def clear_registries() -> None:
        for registry in registries:
            registry.cache_clear()

    def add(shelf: ModuleType, code: str, text: str) -> None:
        folder = tmp_path / shelf.__name__
        folder.mkdir(exist_ok=True)
        (folder / f"{code}.py").write_text(text)
        monkeypatch.setattr(shelf, "__path__", [*shelf.__path__, str(folder)])
        importlib.invalidate_caches()
        added.append(f"{shelf.__name__}.{code}")
        clear_registries()

    yield add
    monkeypatch.undo()
    for name in added:
        sys.modules.pop(name, None)
    clear_registries()


@pytest.fixture
def wms(db: None) -> Source:
    return Source.objects.create(
        slug="wms", title="Dallas", connector="cloudevents", role="wms", expect_every=None
    )


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR)


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().split())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('raise KeyError("day")', "It failed with an internal error (KeyError). See the worker"),
        ("return 7", "Its result cannot be stored: it is no KpiMeasurement."),
        (
            'return KpiMeasurement(date(2026, 3, 4), Decimal("NaN"), Decimal(1))',
            "Its result cannot be stored: its numerator or denominator is no decimal in range.",
        ),
        (
            'return KpiMeasurement(date(2026, 3, 4), None, None, "x" * 41)',
            "Its result cannot be stored: its reason for exclusion is no short text.",
        ),
        (
            'return KpiMeasurement("today", Decimal(1), Decimal(1))',
            "Its result cannot be stored: its day is no date.",
        ),
    ],
)
def test_failing_kpi_stops_neither_the_fold_nor_other_kpis(
    register: Register, wms: Source, integrator: Client, now: datetime, body: str, reason: str
) -> None:
    register(visibility.kpi.definitions, "failing_kpi", KPI.format(body=body))
    send_and_process(wms, "order.received", now - 9 * HOUR)
    assert Order.objects.get().status == "received"
    assert set(KpiFact.objects.values_list("kpi", flat=True)) >= {"undelivered_orders"}
    failed = FailedKpi.objects.get()
    assert (failed.kpi, failed.order.order.number) == ("failing_kpi", "SO-1")
    expected = "Failing KPI cannot be computed for 1 order, which is not counted: " + reason
    executive = signed_in(UserRole.EXECUTIVE)
    assert expected in text(executive, "/numbers/failing_kpi")
    assert expected in text(executive, "/numbers")
    assert expected not in text(executive, "/numbers/fill_rate")
    problem = f"KPI “Failing KPI” fails for 1 order.</strong> {reason}"
    assert problem in text(integrator, "/sources")


def test_failed_kpi_is_retried_after_an_hour_and_heals(
    register: Register, wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(visibility.kpi.definitions, "failing_kpi", KPI.format(body="raise ValueError"))
    send_and_process(wms, "order.received", now - 9 * HOUR)
    kpi = kpi_registry()["failing_kpi"]
    monkeypatch.setattr(type(kpi), "measure", lambda *_: None)
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert FailedKpi.objects.count() == 1
    FailedKpi.objects.update(failed_at=database_now() - HOUR * 2)
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert not FailedKpi.objects.exists()


def test_failed_kpi_is_retried_at_once_by_another_version(
    register: Register, wms: Source, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(visibility.kpi.definitions, "failing_kpi", KPI.format(body="raise ValueError"))
    send_and_process(wms, "order.received", now - 9 * HOUR)
    kpi = kpi_registry()["failing_kpi"]
    monkeypatch.setattr(type(kpi), "measure", lambda *_: None)
    type(kpi).version = 2
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert not FailedKpi.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        'raise KeyError("x")',
        "return [7]",
        "return None",
        "return [Clock(datetime(2026, 3, 4), datetime(2026, 3, 5))]",
        "return [Clock(timeline.as_of, None)]",
        "return [Clock(timeline.as_of, timeline.as_of, subject_key=7)]",
        "return [Clock(timeline.as_of, timeline.as_of, expected_from=None)]",
    ],
)
def test_failing_rule_stops_neither_the_fold_nor_other_rules(
    register: Register, wms: Source, integrator: Client, now: datetime, body: str
) -> None:
    register(visibility.sla.rules, "failing_rule", RULE.format(body=body))
    stuck = create_rule(params={"within": 4})
    stuck.calendar.hours = {d: [["00:00", "24:00"]] for d in ("mon", "tue", "wed", "thu", "fri")}
    stuck.calendar.save(update_fields=["hours"])
    create_rule(code="failing", kind="failing_rule", title="Rule with a defect", params={})
    send_and_process(wms, "order.released", now - 9 * HOUR)
    assert Order.objects.get().status == "released"
    assert SlaClock.objects.get().rule == stuck
    assert FailedClock.objects.get().rule.code == "failing"
    assert "Rule “Rule with a defect” fails for 1 order" in text(integrator, "/sources")


@pytest.mark.parametrize(
    "body",
    [
        'def load_context(self, now): raise KeyError("x")',
        "def load_context(self, now): return {}",  # its template does not exist
        "def load_context(self, now): return {}\n\n    def __init__(self): raise ValueError",
    ],
)
def test_failing_tile_says_so_and_the_board_shows_the_others(register: Register, body: str) -> None:
    register(visibility.boards.tiles, "failing_tile", TILE.format(body=body))
    tiles = [{"tile": "failing_tile"}, {"tile": "key_figures"}, 7, "key_figures"]
    Board.objects.create(slug="dock", title="Dock", tiles=tiles)
    Board.objects.create(slug="bad", title="Bad", tiles=7)
    ops = signed_in(UserRole.OPERATIONS)
    for address in ("/boards/dock", "/boards/dock?kiosk=1"):
        page = text(ops, address)
        assert page.count("This tile could not be loaded. Other tiles are not affected.") == 1
        assert "Open orders" in page
    assert "Bad" in text(ops, "/boards/bad")


def test_failing_channel_keeps_its_notifications_and_the_others_are_sent(
    register: Register, integrator: Client
) -> None:
    register(visibility.notify.channels, "failing_channel", CHANNEL)
    person, opened = User.objects.create(username="olga"), alert()
    for channel in ("failing_channel", "email", "unknown"):
        subscription = Subscription.objects.create(
            user=person, channel=channel, address=f"{channel}@example.test"
        )
        Notification.objects.create(
            alert=opened, episode=1, transition="opened", subscription=subscription
        )
    assert outbox.send_due_notifications(now=database_now()) == 1
    assert [message.to for message in mail.outbox] == [["email@example.test"]]
    waiting = Notification.objects.get(subscription__channel="failing_channel")
    assert (waiting.state, waiting.error) == (NotificationState.PENDING, "KeyError: 'pager'")
    page = text(integrator, "/sources")
    assert "Sending through “Pager” fails for 1 notification.</strong> KeyError:" in page
    assert "The next attempt is in" in page
    assert "Sending through “unknown” fails for 1 notification" in page
