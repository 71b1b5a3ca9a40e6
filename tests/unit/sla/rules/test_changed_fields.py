"""One condition for each type of messages whose fields changed."""

from datetime import UTC, datetime

from connectors.sdk.connector import SourceRole
from visibility.sla.rules.changed_fields import ChangedFieldsParams, ChangedMessageFields
from visibility.sla.source_snapshot import ChangedFields, SourceSnapshot

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
RULE, PARAMS = ChangedMessageFields(), ChangedFieldsParams()


def source(*changed: ChangedFields) -> SourceSnapshot:
    return SourceSnapshot("erp", "ERP", SourceRole.ERP, NOON, NOON, changed_fields=changed)


def test_each_type_of_messages_is_one_condition() -> None:
    snapshot = source(ChangedFields("order.received", NOON), ChangedFields("", NOON))
    conditions = list(RULE.conditions(snapshot, PARAMS))
    assert [(c.subject_key, c.title) for c in conditions] == [
        ("order.received", "Changed fields in order.received messages from ERP"),
        ("none", "Changed fields in messages from ERP"),
    ]
    assert not list(RULE.conditions(source(), PARAMS))


def test_the_condition_ends_when_the_changes_are_accepted() -> None:
    snapshot = source(ChangedFields("order.received", NOON))
    assert RULE.condition_end(snapshot, PARAMS, "order.received") is None
    end = RULE.condition_end(snapshot, PARAMS, "none")
    assert end is not None
    assert end.reason == "The changes were accepted."


def test_the_title_says_that_the_connector_reads_a_changed_field() -> None:
    changed = ChangedFields("order.received", NOON, concerns_read_fields=True)
    [condition] = RULE.conditions(source(changed), PARAMS)
    assert condition.title == "Changed fields that are read in order.received messages from ERP"
