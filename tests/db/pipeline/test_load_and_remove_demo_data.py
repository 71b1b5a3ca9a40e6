"""Demo data is loaded by a worker and removed without a trace, whatever an installation has."""

import io
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event as ThreadEvent
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, Sum

from tests.builders.identity import (
    START,
    create_sources,
    dump_state,
    process_messages,
    source_message,
)
from tests.builders.sources import create_source
from tests.builders.users import create_user
from visibility.alerts.actions import add_note
from visibility.alerts.queue_notifications import queue_notifications
from visibility.db.database_time import database_now
from visibility.identity.decisions import merge_or_attach_objects
from visibility.management import demo_messages
from visibility.management import load_demo_data as load_job
from visibility.management.load_demo_data import load_demo_data
from visibility.models import (
    Alert,
    AuditEntry,
    DemoData,
    Event,
    IgnoredTerm,
    InboundMessage,
    MessageKey,
    MessageReplay,
    Notification,
    Order,
    SlaRule,
    Source,
    Subscription,
    Team,
    TrackingLink,
    TrackingSubscriber,
    WorkCalendar,
)
from visibility.operations.invariants import CHECKS
from visibility.pipeline import job_functions, remove_demo_messages
from visibility.pipeline import remove_demo_data as remove_job
from visibility.pipeline.record_and_retention_jobs import measure_records
from visibility.pipeline.refold_orders import apply_identity_decision_and_refold
from visibility.pipeline.remove_demo_data import remove_demo_data
from visibility.preferences.change_demo_data import (
    load_progress,
    request_demo_data,
    request_removal_of_demo_data,
)
from visibility.storage.order_notes_and_watches import add_order_note, watch_order
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
# A Thursday: there are few orders on weekends.
ENDS_AT = datetime(2026, 3, 5, 20, tzinfo=UTC)
# A day of the demo, counted from the start of the stories of own sources.
DAY = (ENDS_AT - START).days - 2
TABLES = """
SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
    AND relnamespace = 'public'::regnamespace ORDER BY relname
"""
# Tables whose rows do not come from demo data, although there are more of them afterwards.
EXCEPTIONS = {
    "visibility_auditentry": "the audit log keeps who loaded and removed demo data",
    "visibility_change": "numbers that tell open pages to load again; they name no demo data",
    "visibility_changehead": "the newest of these numbers",
    "visibility_audithead": "counts the entries of the audit log",
    "visibility_configurationversion": "one row since the first source",
    "visibility_eventreader": "names of connectors and their releases; they name no demo data",
}


@pytest.fixture(autouse=True)
def _small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few orders with every mistake, so that a load takes a second."""
    monkeypatch.setattr(demo_messages, "DAYS", 3)
    monkeypatch.setattr(demo_messages, "ORDERS_PER_DAY", 6.0)
    rates = replace(demo_messages.RATES, staged=0.0, stuck_order=0.5, no_scan=0.5, bad_payload=0.05)
    monkeypatch.setattr(demo_messages, "RATES", rates)


@pytest.fixture
def admin() -> User:
    return create_user(UserRole.ADMIN)


def count_rows() -> Mapping[str, int]:
    """The number of rows of every table of the database."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        names = [row[0] for row in cursor.fetchall()]
        counts = {}
        for name in names:
            cursor.execute(f'SELECT count(*) FROM public."{name}"')  # noqa: S608  # own names
            counts[name] = cursor.fetchone()[0]
    return counts


def run_jobs() -> None:
    """What workers do meanwhile."""
    job_functions.process_messages_and_refold()
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    measure_records()
    job_functions.refold_touched_orders_and_update_kpi_cells()


def load(by: User) -> None:
    request_demo_data(by=by, now=ENDS_AT)
    load_demo_data()
    run_jobs()
    load_demo_data()
    run_jobs()
    assert load_progress().state == "loaded"


def remove(by: User) -> None:
    request_removal_of_demo_data(by=by, now=database_now())
    remove_demo_data()
    run_jobs()
    connection.check_constraints()


def rows_left(before: Mapping[str, int], *, ignored: Collection[str] = ()) -> dict[str, int]:
    """How many rows more than before each table has."""
    after = count_rows()
    known = {*EXCEPTIONS, *ignored}
    return {n: after[n] - before[n] for n in after if after[n] != before[n] and n not in known}


def own_messages() -> None:
    """Two own orders: the package of one has the number of a demo package, and one of the shop has
    the customer PO of a demo order."""
    orders = [demo_messages.demo_world(ENDS_AT).order(n) for n in range(20)]
    tracking = next(o.shipments[0].packages[0].tracking for o in orders if o.shipments)
    po = next(o.po for o in orders if o.po)
    process_messages(
        [
            source_message("shop", "order.received", DAY, order="OWN-1", customer_po=po),
            source_message("erp", "order.received", DAY, order="OWN-2"),
            source_message(
                "wms",
                "shipment.confirmed",
                DAY + 1,
                order="OWN-2",
                shipment="S1",
                tracking=tracking,
            ),
        ],
        fold=False,
    )
    settle_jobs()


def own_order_rows() -> list[Any]:
    """What lists show of the own orders."""
    columns = ("number", "status", "answer", "event_count", "last_source", "conflict_count")
    return list(Order.objects.filter(number__startswith="OWN").order_by("number").values(*columns))


def broken_invariants() -> list[str]:
    return [sentence for check in CHECKS.values() for sentence in check()]


def settle_jobs() -> None:
    """Run the jobs until nothing is left: the first run creates the rules about sources."""
    for _ in range(2):
        run_jobs()


def test_removal_leaves_no_row_in_any_table(admin: User) -> None:
    settle_jobs()
    before = count_rows()
    load(admin)
    loaded = count_rows()
    grown = {name for name in loaded if loaded[name] > before[name]}
    assert {"visibility_order", "visibility_alert", "visibility_kpicell"} <= grown
    remove(admin)
    assert not rows_left(before)
    actions = list(AuditEntry.objects.filter(action__startswith="demo_data").order_by("id"))
    assert [(entry.action, entry.user) for entry in actions] == [
        ("demo_data.load_requested", admin),
        ("demo_data.loaded", None),
        ("demo_data.removal_requested", admin),
        ("demo_data.removed", None),
    ]


def test_own_orders_that_share_numbers_with_demo_orders_are_as_before(admin: User) -> None:
    create_sources()
    own_messages()
    before, dump, rows = count_rows(), dump_state(), own_order_rows()
    load(admin)
    assert own_order_rows() != rows, "no demo order shares a number"
    remove(admin)
    assert dump_state() == dump
    assert own_order_rows() == rows
    assert not rows_left(before)
    assert not broken_invariants()


def test_own_source_that_was_connected_meanwhile_stays_with_its_orders(admin: User) -> None:
    load(admin)
    create_sources()
    own_messages()
    remove(admin)
    assert [row["number"] for row in own_order_rows()] == ["OWN-1", "OWN-2"]
    assert set(Event.objects.values_list("source__slug", flat=True)) == {"shop", "erp", "wms"}
    rows, counts = own_order_rows(), count_rows()
    call_command("rebuild", stdout=io.StringIO(), stderr=io.StringIO())
    assert (own_order_rows(), rows_left(counts)) == (rows, {})
    assert not broken_invariants()


def test_what_people_did_with_demo_orders_goes_and_their_own_work_stays(admin: User) -> None:
    create_sources()
    own_messages()
    person = create_user(UserRole.OPERATIONS)
    own = Order.objects.get(number="OWN-1")
    add_order_note(own.pk, by=person, text="Ours", mentionable=[], now=database_now())
    before, dump = count_rows(), dump_state()
    load(admin)
    now = database_now()
    demo = Order.objects.exclude(number__startswith="OWN").filter(is_open=True).first()
    alert = Alert.objects.filter(rule__code__startswith="demo").first()
    assert demo
    assert alert
    add_order_note(demo.pk, by=person, text="@admin look", mentionable=[admin], now=now)
    watch_order(demo.pk, by=person, now=now)
    link = TrackingLink.objects.create(
        name="x" * 32, order_id=demo.pk, created_by=person, created_at=now, expires_at=now
    )
    TrackingSubscriber.objects.create(link=link, name="s" * 16, address="a@b.c", requested_at=now)
    add_note(alert.pk, by=person, note="@admin called", mentionable=[admin], now=now)
    apply_identity_decision_and_refold(
        lambda: merge_or_attach_objects(own.pk, demo.pk, by=person, reason="same", now=now)
    )
    Subscription.objects.create(user=person, rules=[alert.rule.code if alert.rule else ""])
    message = InboundMessage.objects.filter(source__is_demo=True).first()
    assert message
    MessageReplay.objects.create(requested_at=now, message_ids=[message.pk])
    IgnoredTerm.objects.create(kind="status", source="demo-wms", term="X", decided_at=now)
    settle_jobs()
    remove(admin)
    assert dump_state() == dump
    assert not rows_left(before)
    assert not broken_invariants()


def test_load_and_removal_that_stop_in_the_middle_are_continued(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_jobs()
    before = count_rows()
    monkeypatch.setattr(load_job, "BATCH_SIZE", 7)
    request_demo_data(by=admin, now=ENDS_AT)
    stop_after(monkeypatch, load_job, turns=3)
    load_demo_data()
    row = DemoData.objects.get()
    assert (row.sent, InboundMessage.objects.count(), load_progress().state) == (21, 21, "loading")
    run_jobs()
    monkeypatch.setattr(load_job, "stopping", ThreadEvent())
    load_demo_data()
    keys = MessageKey.objects.aggregate(Count("id"), Sum("duplicate_count"))
    total = DemoData.objects.get().total
    # The simulation itself sends some messages twice.
    assert keys["id__count"] + keys["duplicate_count__sum"] == total
    monkeypatch.setattr(remove_demo_messages, "BATCH_SIZE", 40)
    request_removal_of_demo_data(by=admin, now=database_now())
    stop_after(monkeypatch, remove_job, turns=2)
    assert remove_demo_data() == 80
    assert load_progress().state == "removing"
    assert 0 < load_progress().done < load_progress().total
    monkeypatch.setattr(remove_job, "stopping", ThreadEvent())
    remove_demo_data()
    run_jobs()
    assert load_progress().state == ""
    assert not rows_left(before)


def test_removal_before_the_worker_began_leaves_nothing(admin: User) -> None:
    request_demo_data(by=admin, now=ENDS_AT)
    request_removal_of_demo_data(by=admin, now=database_now())
    load_demo_data()
    remove_demo_data()
    assert (load_progress().state, Source.objects.count()) == ("", 0)


def stop_after(monkeypatch: pytest.MonkeyPatch, module: Any, *, turns: int) -> None:
    """Let the worker end when the job has asked so often whether it should."""
    answers = iter([False] * turns)

    class Stopping:
        def is_set(self) -> bool:
            return next(answers, True)

    monkeypatch.setattr(module, "stopping", Stopping())


def test_alerts_about_demo_orders_notify_nobody(admin: User) -> None:
    create_sources()
    Subscription.objects.create(user=admin, address="ada@example.test")
    load(admin)
    demo = Alert.objects.exclude(order=None).first()
    assert demo
    assert not Notification.objects.exists()
    own_messages()
    rule = SlaRule.objects.get(code="demo-stuck-in-released")
    own = Alert.objects.create(
        rule=rule,
        order_id=Order.objects.get(number="OWN-1").pk,
        severity="high",
        title="late",
        started_at=ENDS_AT,
        due_at=ENDS_AT,
        opened_at=ENDS_AT,
    )
    queue_notifications([demo, own], "escalated_high")
    assert [row.alert for row in Notification.objects.all()] == [own]


def test_demo_data_creates_no_account_and_changes_nothing_of_the_customer(admin: User) -> None:
    own_team = Team.objects.create(slug="w", title="Demo: Warehouse")
    calendar = WorkCalendar.objects.create(code="demo-warehouses", title="Ours", hours={})
    create_source("demo-shop", config={"order_number": "sales_order@erp"})
    load(admin)
    assert User.objects.count() == 1
    assert all(not source.enabled for source in Source.objects.filter(is_demo=True))
    assert Source.objects.filter(slug="demo2-shop", is_demo=True).exists()
    calendar.refresh_from_db()
    assert (calendar.title, Source.objects.get(slug="demo-shop").is_demo) == ("Ours", False)
    rule = SlaRule.objects.get(code="demo2-no-tracking-scan")
    rule.scope = {}
    rule.save()
    remove(admin)
    assert Team.objects.filter(pk=own_team.pk).exists()
    remaining = SlaRule.objects.filter(code__startswith="demo").values_list("code", flat=True)
    assert list(remaining) == [rule.code], "a rule that people made their own stays"
    assert Source.objects.get().slug == "demo-shop"
