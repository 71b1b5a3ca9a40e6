"""The same distributor with Business Central, with Tryton, and with a cut-over between them.

The ERPs are polled over HTTP. Orders, links, KPI values and alerts are equal, but for the names of
the ERP itself (`without_names_of_the_erp`) and for what `ONLY_TRYTON_REPORTS` lists.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from visibility.alerts.change_sla_rules import create_rule
from visibility.db.database_time import database_now
from visibility.ingest import polling
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.insert_messages import store_messages
from visibility.management.commands.demo import DEMO_RULES
from visibility.management.demo_messages import pushed_message
from visibility.management.demo_sources import demo_sources, erp_url
from visibility.models import Alert, InboundMessage, MessageState, Source
from visibility.operations.canonical_dump import dump_lines
from visibility.pipeline import job_functions
from visibility.simulator.erp_landscape import NEW_SOURCE, OLD_SOURCE, ErpChoice, ErpLandscape
from visibility.simulator.faults import FaultRates
from visibility.simulator.generator import DAY, SimulatedWorld, WorldSetting
from visibility.simulator.past_and_live_streams import PastStream
from visibility.simulator.read_setup_file import SimulatedErpAccess, SimulatorSetup
from visibility.simulator.simulated_erps import SimulatedErps
from visibility.simulator.simulated_order import to_datetime
from visibility.simulator.vendors import build_full_or_truncated_message
from visibility.web.intake.source_cache import IntakeSource

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
# Tuesday, 2026-03-31 15:00 UTC.
STARTED = 1_774_969_200.0
CUT_OVER_DAYS = 5
SECRET = "secret-of-the-simulated-erp-0123456789"
SETTING = WorldSetting(
    seed=10,
    anchor=STARTED - STARTED % DAY,
    started=STARTED,
    days=9,
    per_day=4.0,
    speed=1.0,
    rates=FaultRates(
        silent_feed=0.0,
        staged=0.0,
        stuck_order=0.1,
        no_scan=0.08,
        erp_blind=0.5,
        price_drift=0.15,
        unknown_status=0.02,
        bad_payload=0.002,
    ),
)
# An order of Business Central is a draft, in review or released: it has no status of a confirmed
# order. Tryton's sales are confirmed before they are processed.
ONLY_TRYTON_REPORTS = ("accepted",)
# The numbers of the orders, and of what belongs to them, that find an order.
LINKS = """
WITH RECURSIVE member (order_id, object_id) AS (
    SELECT object_id, object_id FROM visibility_order
    UNION SELECT member.order_id, relation.child_id
    FROM member JOIN visibility_objectrelation relation ON relation.parent_id = member.object_id
)
SELECT o.number, identifier.kind, identifier.scheme, identifier.issuer, identifier.value
FROM member JOIN visibility_order o ON o.object_id = member.order_id
JOIN visibility_identifier identifier ON identifier.object_id = member.object_id
"""
# Numbers that the ERP gives to its own records, besides those of orders and invoices.
SHIPMENT_OF_ERP = re.compile(r"shipment:erp:\w+(-\d+)?")
OWN_NUMBERS_OF_ERP = frozenset({"source_id", "shipment"})


@pytest.fixture(scope="module")
def results() -> dict[ErpChoice, dict[str, Any]]:
    """What the product says with each choice; filled by the first test."""
    return {}


@pytest.fixture
def result_of(
    results: dict[ErpChoice, dict[str, Any]], settings: Settings
) -> Mapping[ErpChoice, dict[str, Any]]:
    for choice in ErpChoice if not results else ():
        results[choice] = run(choice, settings)
    return results


@pytest.mark.parametrize("choice", [ErpChoice.TRYTON, ErpChoice.BOTH])
@pytest.mark.parametrize("subject", ["orders", "kpis", "links", "alerts"])
def test_other_erp_changes_nothing(
    result_of: Mapping[ErpChoice, dict[str, Any]], choice: ErpChoice, subject: str
) -> None:
    expected, actual = result_of[ErpChoice.BUSINESS_CENTRAL][subject], result_of[choice][subject]
    assert len(expected) > 5
    assert actual.keys() == expected.keys()
    assert {k: differences(v, actual[k]) for k, v in expected.items() if v != actual[k]} == {}


def differences(expected: Any, actual: Any) -> Any:
    """What differs, by field."""
    if not isinstance(expected, dict):
        return expected, actual
    names = expected.keys() | actual.keys()
    pairs = {name: (expected.get(name), actual.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def test_world_has_what_an_erp_can_report_differently() -> None:
    """Holds, shortages, conflicts, and orders that are open at the cut-over."""
    world = SimulatedWorld(SETTING)
    orders = [world.order(n) for n in {row[1] for row in PastStream(world).rows}]
    landscape = ErpLandscape(ErpChoice.BOTH, STARTED - CUT_OVER_DAYS * DAY)
    assert len(orders) > 30
    assert any(o.credit_hold_at and o.credit_hold_at < STARTED < o.released_at for o in orders)
    for name in ("dropped", "repromised", "drift", "cancelled_at"):
        assert any(getattr(order, name) is not None for order in orders), name
    assert any(order.blind_from is not None for order in orders)
    assert sum(landscape.is_migrated(order) for order in orders) > 1
    assert sum(order.entered_at < landscape.cut_over_at for order in orders) > 10


def run(choice: ErpChoice, settings: Settings) -> dict[str, Any]:
    """Everything that the product says about the distributor with these ERPs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.test_empty_tables()")
    for rule in DEMO_RULES:
        create_rule(rule, by=None, now=database_now())
    world = SimulatedWorld(SETTING)
    past = PastStream(world)
    with simulated_erps(choice, world) as erps:
        settings.OUTGOING_ALLOWED = [f"127.0.0.1:{s.port}" for s in erps.servers.values()]
        erps.add_rows(past.rows)
        store_pushed_messages(add_sources(choice, erps), past, world)
        poll_twice()
        assert erps.unread_count() == 0
    InboundMessage.objects.filter(state=MessageState.WAITING).update(next_attempt_at=None)
    job_functions.process_messages_and_refold()
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    lines = [orjson.loads(line) for line in dump_lines(as_of=to_datetime(STARTED))]
    return {
        "orders": {o["key"]: without_names_of_the_erp(o) for o in lines if o["kind"] == "order"},
        "kpis": {line["key"]: line for line in lines if line["kind"] == "kpi"},
        "links": links(),
        "alerts": alerts(),
    }


@contextmanager
def simulated_erps(choice: ErpChoice, world: SimulatedWorld) -> Iterator[SimulatedErps]:
    access = dict.fromkeys((OLD_SOURCE, NEW_SOURCE), SimulatedErpAccess(0, SECRET))
    erps = SimulatedErps(SimulatorSetup("", access, choice, CUT_OVER_DAYS, {}), world)
    erps.start()
    try:
        yield erps
    finally:
        erps.stop()


def add_sources(choice: ErpChoice, erps: SimulatedErps) -> dict[str, IntakeSource]:
    """Create the sources of the demo, with the ports of the simulated ERPs."""
    intake = {}
    for slug, (connector, title, role, config, _) in demo_sources(choice).items():
        config = {**config, "role": role}
        if slug in erps.servers:
            system, port = erps.landscape.system_by_source[slug], erps.servers[slug].port
            config["base_url"] = erp_url(system, port)
        source = add_source(
            slug, connector=connector, config=config, title=title, secret=SECRET, now=database_now()
        ).source
        intake[slug] = IntakeSource(source.pk, slug, source.build_connector(), ())
    return intake


def store_pushed_messages(
    intake: Mapping[str, IntakeSource], past: PastStream, world: SimulatedWorld
) -> None:
    """Store the messages of all other systems, with their duplicates and truncated ones."""
    messages = [
        build_full_or_truncated_message(world.order(n), step)
        for n, step in past.orders_and_steps_newest_day_first()
    ]
    store_messages([pushed_message(intake[m.source], m, STARTED) for m in messages])


def poll_twice() -> None:
    """Poll each ERP, and again with the overlap of the first poll."""
    for minutes in (0, 10):
        now = database_now() + timedelta(minutes=minutes)
        for claimed in polling.claim_due_polls(now, limit=5, slow_limit=5):
            polling.poll_source(claimed, now=now)
    assert not list(Source.objects.exclude(poll_error="").values_list("poll_error", flat=True))


def without_names_of_the_erp(order: dict[str, Any]) -> dict[str, Any]:
    """The order without its list of reports, and with one name for both ERPs."""
    named: dict[str, Any] = orjson.loads(with_common_name(orjson.dumps(order).decode()))
    numbers = {k: v for k, v in named["numbers"].items() if not k.startswith("source_id:")}
    reached = {k: v for k, v in named["milestones"].items() if k not in ONLY_TRYTON_REPORTS}
    return {**named, "events": [], "numbers": numbers, "milestones": reached}


def with_common_name(text: str) -> str:
    """The text with one name for both ERPs, and without the numbers of their shipments."""
    return SHIPMENT_OF_ERP.sub("shipment:erp", text.replace(NEW_SOURCE, OLD_SOURCE))


def links() -> dict[str, set[str]]:
    """The numbers that find each order, by the order."""
    numbers: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(LINKS)
        for order, *number in cursor.fetchall():
            kind, scheme, issuer, value = number
            if not (scheme in OWN_NUMBERS_OF_ERP and issuer in {OLD_SOURCE, NEW_SOURCE}):
                numbers.setdefault(order, set()).add(f"{kind} {scheme} {issuer} {value}")
    return numbers


def alerts() -> dict[str, Any]:
    """The alerts about orders, by rule, order and time: what they are about, and their state."""
    fields = ("subject_key", "state", "started_at", "due_at", "money", "title")
    return {
        f"{alert.rule.code} {alert.title} {alert.started_at}": [
            with_common_name(str(getattr(alert, name))) for name in fields
        ]
        for alert in Alert.objects.filter(order__isnull=False).select_related("rule")
        if alert.rule
    }
