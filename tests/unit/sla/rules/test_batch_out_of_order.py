"""A missing number, and a lower one."""

from datetime import UTC, datetime, timedelta

from connectors.sdk.connector import SourceRole
from visibility.sla.batch_findings import BatchHistory
from visibility.sla.batch_rules import BatchRuleParams
from visibility.sla.batch_schedule import ArrivedBatch, BatchExpectation
from visibility.sla.rules.batch_out_of_order import BatchOutOfOrder
from visibility.sla.source_snapshot import SourceSnapshot

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
RULE, PARAMS = BatchOutOfOrder(), BatchRuleParams()
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


def test_a_missing_number_is_named() -> None:
    source = snapshot(batch(1), batch(3))
    assert conditions(source) == [("before 3", "Batch 2 from WMS is missing: 3 came after 1")]
    assert conditions(snapshot(batch(1), batch(2))) == []


def test_the_alert_closes_after_seven_days() -> None:
    later = snapshot(batch(1), batch(3), now=NOON + timedelta(days=7))
    assert conditions(later) == []
    end = RULE.condition_end(later, PARAMS, "before 3")
    assert end is not None
    assert end.reason == "It is longer ago than 7 days."


def test_the_alert_closes_when_the_missing_batch_arrives() -> None:
    late = batch(2, hours=1)
    source = snapshot(batch(1), batch(3), late)
    assert conditions(source) == [("2", "Batch 2 from WMS came after batch 3")]
    end = RULE.condition_end(source, PARAMS, "before 3")
    assert end is not None
    assert end.reason == "The missing batches arrived."


def test_without_a_schedule_there_is_no_condition_and_an_alert_closes() -> None:
    source = SourceSnapshot("wms", "WMS", SourceRole.WMS, NOON, NOON)
    assert conditions(source) == []
    end = RULE.condition_end(source, PARAMS, "1")
    assert end is not None
    assert end.reason == "The source has no schedule of batches any more."


def test_an_alert_that_a_person_resolved_stays_closed() -> None:
    assert not RULE.may_reopen("Resolved by Ines")
