"""A batch that has not arrived by its time."""

from datetime import UTC, datetime, timedelta

from connectors.sdk.connector import SourceRole
from visibility.sla.batch_findings import BatchHistory
from visibility.sla.batch_rules import BatchRuleParams
from visibility.sla.batch_schedule import ArrivedBatch, BatchExpectation
from visibility.sla.rules.batch_late import BatchLate
from visibility.sla.source_snapshot import SourceSnapshot

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
RULE, PARAMS = BatchLate(), BatchRuleParams()
DAILY = BatchExpectation(every=timedelta(days=1), least_records=5)


def batch(number: int, records: int = 10, hours: int = 20) -> ArrivedBatch:
    """A batch that was received so many hours before noon, each a minute after the other."""
    at = NOON - timedelta(hours=hours) + timedelta(minutes=number)
    return ArrivedBatch(number, at, f"{number}.csv", records, number=str(number))


def snapshot(*batches: ArrivedBatch, now: datetime = NOON, complete: bool = True) -> SourceSnapshot:
    history = BatchHistory(DAILY, now, batches, is_complete=complete)
    return SourceSnapshot("wms", "WMS", SourceRole.WMS, now, NOON, batches=history)


def conditions(source: SourceSnapshot) -> list[tuple[str, str]]:
    return [(c.subject_key, c.title) for c in RULE.conditions(source, PARAMS)]


def test_a_batch_is_late_after_its_interval_and_tolerance() -> None:
    last = batch(0, hours=30)
    expected = last.received_at + timedelta(days=1)
    [(key, title)] = conditions(snapshot(last))
    assert key == expected.isoformat()
    assert title == "The batch from WMS that was expected Wed, Mar 4, 06:00 has not arrived"
    assert conditions(snapshot(last, batch(1, hours=1))) == []
    assert conditions(snapshot(last, complete=False)) == []


def test_the_alert_closes_when_the_batch_arrives() -> None:
    last, arrived = batch(0, hours=30), batch(1, hours=1)
    key = (last.received_at + timedelta(days=1)).isoformat()
    end = RULE.condition_end(snapshot(last, arrived), PARAMS, key)
    assert end is not None
    assert (end.at, end.reason) == (arrived.received_at, "1.csv arrived Wed, Mar 4, 11:01.")
    assert RULE.condition_end(snapshot(last, complete=False), PARAMS, key) is None
    other = RULE.condition_end(snapshot(last), PARAMS, (NOON - timedelta(hours=1)).isoformat())
    assert other is not None
    assert other.reason == "No batch is expected for this time any more."


def test_without_a_schedule_there_is_no_condition_and_an_alert_closes() -> None:
    source = SourceSnapshot("wms", "WMS", SourceRole.WMS, NOON, NOON)
    assert conditions(source) == []
    end = RULE.condition_end(source, PARAMS, "1")
    assert end is not None
    assert end.reason == "The source has no schedule of batches any more."


def test_an_alert_that_a_person_resolved_stays_closed() -> None:
    assert not RULE.may_reopen("Resolved by Ines")
