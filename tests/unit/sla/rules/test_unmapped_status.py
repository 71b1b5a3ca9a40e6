"""Each status without a mapping is one condition."""

from datetime import UTC, datetime

from connectors.sdk.connector import SourceRole
from visibility.sla.rules.unmapped_status import Params, UnmappedStatus
from visibility.sla.source_snapshot import (
    IGNORED,
    MAPPED,
    SourceSnapshot,
    UnmappedStatusWithSettlement,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
RULE = UnmappedStatus()


def source(*statuses: UnmappedStatusWithSettlement) -> SourceSnapshot:
    return SourceSnapshot("erp", "ERP", SourceRole.ERP, NOON, NOON, statuses=statuses)


def test_only_statuses_that_need_a_mapping_are_conditions() -> None:
    snapshot = source(
        UnmappedStatusWithSettlement("A"),
        UnmappedStatusWithSettlement("B", MAPPED),
        UnmappedStatusWithSettlement("C", IGNORED),
    )
    (condition,) = RULE.conditions(snapshot, Params())
    assert condition.subject_key == "A"
    assert RULE.alert_title(Params(), condition.subject) == "Unmapped status “A” from ERP"


def test_condition_ends_when_the_status_is_settled_and_not_when_it_is_not_sent_any_more() -> None:
    end = RULE.condition_end(source(UnmappedStatusWithSettlement("B", MAPPED)), Params(), "B")
    assert end is not None
    assert (end.at, end.reason) == (NOON, MAPPED)
    assert RULE.condition_end(source(), Params(), "B") is None


def test_only_a_removed_mapping_opens_the_alert_again() -> None:
    assert RULE.may_reopen(MAPPED)
    assert not RULE.may_reopen("Known to be noise.")


def test_number_of_open_alerts_is_a_parameter() -> None:
    assert RULE.max_active(Params(max_alerts=3)) == 3
