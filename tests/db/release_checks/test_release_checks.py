"""Release checks: what another reading would change is what it changes, and nothing is written."""

import random
import sys
import time
from datetime import datetime
from typing import Any

import orjson
import pytest
from django.db import connection

from tests.builders.manifests import publish
from tests.builders.release_checks import (
    EDITS,
    correct,
    lake_source,
    order_body,
    process,
    random_bodies,
    receive,
)
from tests.builders.sources import ERP_NUMBERS, create_source
from tests.effort import seeds
from visibility.db.database_time import database_now
from visibility.models import (
    Event,
    Manifest,
    Order,
    ReleaseCheck,
    Source,
)
from visibility.models.release_checks import ReleaseCheckMessage, ReleaseCheckOrder
from visibility.operations.canonical_dump import dump_lines
from visibility.release_checks import read_messages, run_checks
from visibility.release_checks.fold_both_ways import fold_both_ways
from visibility.release_checks.order_differences import MILESTONE_TIMES, OrderDifference
from visibility.release_checks.promote import promote_check, roll_back_check
from visibility.release_checks.requests import cancel_check, request_check
from visibility.release_checks.run_checks import run_release_checks

pytestmark = pytest.mark.django_db(transaction=True)
# Tables to which a check writes itself.
OWN_TABLES = (
    "visibility_releasecheck",
    "visibility_releasecheckorder",
    "visibility_releasecheckmessage",
    "visibility_auditentry",
    "visibility_audithead",
    "visibility_change",
    "visibility_changehead",
)
# (order, milestone, time): the instant
Milestones = dict[tuple[str, str, str], str]


def run_check(source: Source, manifest: Manifest | None) -> ReleaseCheck:
    check = request_check(source, manifest, by=None, now=database_now())
    assert run_release_checks() == 1
    check.refresh_from_db()
    assert (check.state, check.detail) == ("ready", "")
    return check


def differences(check: ReleaseCheck) -> list[tuple[str, OrderDifference]]:
    return [
        (row.number, OrderDifference.from_json(texts))
        for row in ReleaseCheckOrder.objects.filter(check_run=check).order_by("position")
        for texts in row.differences
    ]


def milestones(as_of: datetime) -> Milestones:
    """The milestones of the canonical dump."""
    reached: Milestones = {}
    for line in dump_lines(as_of=as_of):
        order = orjson.loads(line)
        for code, times in order.get("milestones", {}).items():
            number = order["key"].rpartition(":")[2]
            reached |= {
                (number, code, name): times[name] for name in MILESTONE_TIMES if times[name]
            }
    return reached


def difference_of(before: Milestones, after: Milestones) -> set[tuple[Any, ...]]:
    return {
        (key, before.get(key, ""), after.get(key, ""))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }


def announced(check: ReleaseCheck) -> set[tuple[Any, ...]]:
    """The differences of milestones that the check announces, as orders have them in the dump."""
    result = set()
    for row in ReleaseCheckOrder.objects.filter(check_run=check):
        for texts in row.differences:
            difference = OrderDifference.from_json(texts)
            if difference.kind == "milestone":
                key = (row.number, difference.item, difference.field)
                result.add((key, difference.before, difference.after))
    return result


def checksums() -> dict[str, tuple[int, str]]:
    """The number of rows and a checksum of each table that a check must not change."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') AND NOT relispartition AND relname LIKE 'visibility%%'"
        )
        tables = sorted({row[0] for row in cursor.fetchall()} - set(OWN_TABLES))
        result = {}
        for table in tables:
            rows = "md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
            cursor.execute(f"SELECT count(*), {rows} FROM {table} t")  # noqa: S608
            result[table] = cursor.fetchone()
    assert {"visibility_event", "visibility_milestone", "visibility_kpicell"} <= result.keys()
    return result


def test_a_check_writes_nothing_but_its_result() -> None:
    source, manifest = lake_source()
    receive(source, *random_bodies(random.Random(7), 12))
    draft = correct(manifest, "moves the shipment", "adds the release", "reads another number")
    before = checksums()
    check = run_check(source, draft)
    assert checksums() == before
    assert check.summary["orders"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(3))
def test_a_promotion_changes_the_milestones_that_the_check_announced(
    seed: int, run_seed: int
) -> None:
    chance = random.Random(f"{run_seed} {seed}")
    source, manifest = lake_source()
    erp = create_source("erp", role="erp", config=dict(ERP_NUMBERS))
    receive(source, *random_bodies(chance, 14))
    assert erp.pk
    names = chance.sample(sorted(EDITS), 3)
    draft = correct(
        manifest,
        *(n for n in names if n != "adds the release"),
        *(n for n in names if n == "adds the release"),
    )
    check = run_check(source, draft)
    as_of = check.started_at
    assert as_of is not None
    before = milestones(as_of)
    promote_check(check, messages=len(check.message_ids), by=None, now=database_now())
    process()
    assert difference_of(before, milestones(as_of)) == announced(check), names
    roll_back_check(check, messages=len(check.message_ids), by=None, now=database_now())
    process()
    assert milestones(as_of) == before, names


def test_the_installed_connector_is_compared_with_what_an_earlier_one_stored() -> None:
    """As after an upgrade: the events of the earlier version are stored."""
    source, manifest = lake_source()
    receive(source, order_body(1), order_body(2))
    publish(correct(manifest, "removes the shipment"))
    check = run_check(source, None)
    removed = {
        (number, difference.item)
        for number, difference in differences(check)
        if difference.change == "removed"
    }
    assert {("SO-1", "shipped"), ("SO-2", "shipped")} <= removed
    promote_check(check, messages=2, by=None, now=database_now())
    process()
    assert not Order.objects.exclude(shipped_at=None).exists()
    superseded = Event.objects.filter(superseded=True).values_list("type", flat=True)
    assert list(superseded) == ["shipment.confirmed"] * 2
    assert run_check(source, None).summary["orders"] == 0


def test_a_message_that_never_ends_is_reported_and_the_others_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, _ = lake_source()
    receive(source, order_body(1), order_body(2), order_body(3))
    monkeypatch.setattr(read_messages, "COMMAND", hanging_at_second_message())
    check = run_check(source, None)
    stuck = ReleaseCheckMessage.objects.get(check_run=check)
    assert (stuck.change, stuck.reason, stuck.detail) == (
        "newly_parked",
        "crash",
        "reading this message takes too long",
    )


def hanging_at_second_message() -> tuple[str, ...]:
    """The process that reads, in which one message takes permanently."""
    return (
        sys.executable,
        "-c",
        "import django; django.setup(); import time\n"
        "from visibility.release_checks import read_messages as module\n"
        "module.CHUNK_SECONDS = 0.5\n"
        "read = module._read_message\n"
        "def slow(message, source, reader):\n"
        "    if b'SO-2' in message.body:\n"
        "        time.sleep(60)\n"
        "    return read(message, source, reader)\n"
        "module._read_message = slow\n"
        "module.main()",
    )


def test_a_canceled_check_stops_and_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    source, manifest = lake_source()
    receive(source, order_body(1))
    check = request_check(source, manifest, by=None, now=database_now())

    def cancel_and_fold(*args: Any, **options: Any) -> Any:
        cancel_check(check, by=None, now=database_now())
        time.sleep(2 * run_checks.PROGRESS_SECONDS)
        return fold_both_ways(*args, **options)

    monkeypatch.setattr(run_checks.__name__ + ".fold_both_ways", cancel_and_fold)
    assert run_release_checks() == 1
    check.refresh_from_db()
    assert (check.state, check.summary) == ("canceled", {})
    assert not ReleaseCheckOrder.objects.exists()
