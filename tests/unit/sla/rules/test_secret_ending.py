"""Each secret that ends within a week is one condition."""

from datetime import UTC, datetime, timedelta

from connectors.sdk.connector import SourceRole
from visibility.sla.rules.secret_ending import OF_SOURCE, SecretEnding, SecretEndingParams
from visibility.sla.secret_end import SecretEnd
from visibility.sla.source_snapshot import SourceSnapshot

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RULE, PARAMS = SecretEnding(), SecretEndingParams()


def source(*ends: SecretEnd) -> SourceSnapshot:
    return SourceSnapshot("erp", "ERP", SourceRole.ERP, NOON, NOON, secret_ends=ends)


def test_a_secret_that_ends_within_seven_days_is_a_condition() -> None:
    ends = (SecretEnd("refresh_token", NOON + 7 * DAY), SecretEnd("", NOON + 7.1 * DAY))
    (condition,) = RULE.conditions(source(*ends), PARAMS)
    assert condition.subject_key == "refresh_token"
    assert condition.due_at == NOON
    assert condition.title == "The refresh token of ERP ends on 2026-03-11"
    assert len(list(RULE.conditions(source(*ends), SecretEndingParams(8 * DAY)))) == 2


def test_a_secret_that_has_ended_stays_a_condition_until_it_is_replaced() -> None:
    ended = source(SecretEnd("", NOON - DAY))
    (condition,) = RULE.conditions(ended, PARAMS)
    assert condition.subject_key == OF_SOURCE
    assert RULE.condition_end(ended, PARAMS, OF_SOURCE) is None
    later = RULE.condition_end(source(SecretEnd("", NOON + 90 * DAY)), PARAMS, OF_SOURCE)
    assert later is not None
    assert later.reason == "The secret ends later now."
    assert RULE.alert_title(PARAMS, "ERP") == "A secret of ERP ends soon"
