"""One condition for each outdated version that is still sent."""

from datetime import UTC, date, datetime, timedelta

from connectors.sdk.connector import SourceRole
from visibility.sla.rules.outdated_version import OutdatedMessageVersion, OutdatedVersionParams
from visibility.sla.source_snapshot import OutdatedVersion, SourceSnapshot

NOON, DAY = datetime(2026, 3, 4, 12, tzinfo=UTC), timedelta(days=1)
RULE, PARAMS = OutdatedMessageVersion(), OutdatedVersionParams()
ENDS = OutdatedVersion("API", "2025-04", True, date(2026, 4, 1), NOON - 9 * DAY, NOON - DAY)
OLD = OutdatedVersion("API", "v1", True, None, NOON - 9 * DAY, NOON - 7 * DAY)
WRONG = OutdatedVersion("GS08", "002001", False, None, NOON - 9 * DAY, NOON)


def source(*versions: OutdatedVersion) -> SourceSnapshot:
    return SourceSnapshot("shop", "Shop", SourceRole.SHOP, NOON, NOON, outdated_versions=versions)


def test_versions_that_are_still_sent_are_conditions() -> None:
    conditions = list(RULE.conditions(source(ENDS, OLD, WRONG), PARAMS))
    assert [(c.subject_key, c.title) for c in conditions] == [
        ("API 2025-04", "Shop sends API 2025-04, which ends on 2026-04-01"),
        ("GS08 002001", "Shop sends GS08 002001, which is not supported"),
    ]
    longer = OutdatedVersionParams(8 * DAY)
    [still] = RULE.conditions(source(OLD), longer)
    assert still.title == "Shop sends API v1, which is deprecated"


def test_the_condition_ends_when_the_version_is_not_sent_or_is_supported() -> None:
    snapshot = source(ENDS, OLD)
    assert RULE.condition_end(snapshot, PARAMS, ENDS.key) is None
    ends = [RULE.condition_end(snapshot, PARAMS, key) for key in (OLD.key, "API v9")]
    assert [end.reason for end in ends if end] == [
        "The version is not sent any more.",
        "The version is supported.",
    ]
