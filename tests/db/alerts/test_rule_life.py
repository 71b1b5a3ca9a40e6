"""Rules are created, changed and archived by the same functions; clocks and alerts follow."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from tests.builders.sla_rules import always_open, create_rule
from tests.builders.sources import create_source
from tests.builders.watched_source import send_and_process
from visibility.alerts import change_sla_rules
from visibility.alerts.rule_values import InvalidRuleChange
from visibility.models import Alert, AlertState, AuditEntry, SlaClock, SlaRule, Source, Team
from visibility.pipeline import job_functions

pytestmark = pytest.mark.django_db


def values(**changes: Any) -> dict[str, Any]:
    return {"kind": "stuck_in_released", "team": "Warehouse", **changes}


def errors_of(now: datetime, **changes: Any) -> dict[str, str]:
    with pytest.raises(InvalidRuleChange) as caught:
        change_sla_rules.create_rule(values(**changes), by=None, now=now)
    assert not SlaRule.objects.filter(kind="stuck_in_released").exists()
    return caught.value.errors


@pytest.fixture
def wms() -> Source:
    return create_source(title="Dallas", expect_every=None)


def test_new_rule_has_what_its_kind_declares_and_an_owner(now: datetime) -> None:
    result = change_sla_rules.create_rule(
        values(params={"within": "6"}, scope={"warehouse": "Dallas", "channel": " "}),
        by=None,
        now=now,
    )
    rule = SlaRule.objects.get(pk=result.rule.pk)
    assert (rule.code, rule.title, rule.severity) == (
        "stuck-in-released",
        "Stuck in released",
        "high",
    )
    assert (rule.params, rule.scope) == ({"within": 6}, {"warehouse": "Dallas"})
    assert rule.owner_team == Team.objects.get(title="Warehouse")
    assert rule.response.startswith("Call the shift lead")
    assert rule.calendar.code == "around-the-clock"
    entry = AuditEntry.objects.get(action="rule.created")
    assert (entry.object, entry.detail["version"]) == ("rule stuck-in-released", 1)
    assert entry.detail["after"]["scope"] == {"warehouse": "Dallas"}


def test_codes_are_made_of_titles_and_stay_unique(now: datetime) -> None:
    codes = [
        change_sla_rules.create_rule(values(title=title), by=None, now=now).rule.code
        for title in ("Late!", "Late", "new", "日本")
    ]
    assert codes == ["late", "late-2", "new-2", "rule"]


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"kind": "planet"}, "kind", "kind must be one of"),
        ({"team": ""}, "team", "must be the title of a team"),
        ({"response": " "}, "response", "must not be empty while the rule is enabled"),
        ({"consequence": ""}, "consequence", "must not be empty while the rule is enabled"),
        ({"title": "a\nb"}, "title", "must be a text of one line"),
        ({"title": ""}, "title", "must be a text of one line"),
        ({"params": {"within": "0"}}, "params.within", "at least 1 working minute"),
        ({"scope": {"planet": "x"}}, "scope.planet", "the fields of this scope are: channel"),
        ({"scope": {"customer_no": "x" * 101}}, "scope.customer_no", "at most 100 characters"),
        ({"scope": {"carrier": 7}}, "scope.carrier", "must be a text"),
        ({"scope": []}, "scope", "must be an object"),
        ({"code": "Not A Code"}, "code", "lower-case letters"),
        ({"code": "new"}, "code", "lower-case letters"),
        ({"calendar": "nowhere"}, "calendar", "must be the code of a calendar"),
        ({"version": 7}, "version", "cannot be changed"),
    ],
)
def test_invalid_values_name_their_field(
    now: datetime, changes: dict[str, Any], field: str, sentence: str
) -> None:
    errors = errors_of(now, **changes)
    assert set(errors) == {field}
    assert sentence in errors[field]


@pytest.mark.parametrize(
    ("kind", "scope"),
    [
        ("source_silent", {"source": "nowhere"}),
        ("source_silent", {"role": "planet"}),
        ("unacknowledged_alert", {"severity": "worst"}),
        ("unacknowledged_alert", {"rule": "nowhere"}),
    ],
)
def test_scope_names_only_what_exists(now: datetime, kind: str, scope: dict[str, str]) -> None:
    (name,) = scope
    assert set(errors_of(now, kind=kind, scope=scope)) == {f"scope.{name}"}


def test_rule_without_response_may_wait_disabled_but_cannot_be_enabled(now: datetime) -> None:
    code = change_sla_rules.create_rule(
        values(enabled=False, response=""), by=None, now=now
    ).rule.code
    with pytest.raises(InvalidRuleChange) as caught:
        change_sla_rules.change_rule(code, {"enabled": True}, version=None, by=None, now=now)
    assert set(caught.value.errors) == {"response"}
    change_sla_rules.change_rule(
        code, {"enabled": True, "response": "Call."}, version=None, by=None, now=now
    )
    assert SlaRule.objects.get(code=code).enabled


def test_new_rule_opens_alerts_about_existing_orders(wms: Source, now: datetime) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=6))
    result = change_sla_rules.create_rule(values(), by=None, now=now)
    assert result.refolded_orders == 1
    job_functions.refold_touched_orders_and_update_kpi_cells()
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    alert = Alert.objects.get(kind="sla")
    assert (alert.state, alert.team) == (AlertState.OPEN, "Warehouse")


def test_change_of_the_scope_moves_the_clocks(wms: Source, now: datetime) -> None:
    create_rule(always_open())
    send_and_process(wms, "order.released", now)
    assert SlaClock.objects.exists()
    change_sla_rules.change_rule(
        "stuck", {"scope": {"warehouse": "Elsewhere"}}, version=None, by=None, now=now
    )
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert not SlaClock.objects.exists()


def test_archived_rule_stops_its_clocks_and_closes_its_alerts(wms: Source, now: datetime) -> None:
    change_sla_rules.create_rule(values(code="stuck"), by=None, now=now)
    send_and_process(wms, "order.released", now - timedelta(hours=6))
    change_sla_rules.archive_rule("stuck", version=1, by=None, now=now)
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert not SlaClock.objects.exists()
    alert = Alert.objects.get(kind="sla")
    assert (alert.state, alert.closing_reason) == ("withdrawn", "rule_changed")
    assert alert.resolution == "Rule changed: the rule is archived."
    rule = SlaRule.objects.get(code="stuck")
    assert (rule.archived_at, rule.enabled, rule.version) == (now, False, 2)
    assert AuditEntry.objects.get(action="rule.archived").detail["version"] == 2
    with pytest.raises(change_sla_rules.ArchivedRule):
        change_sla_rules.change_rule("stuck", {"enabled": True}, version=None, by=None, now=now)
    with pytest.raises(change_sla_rules.ArchivedRule):
        change_sla_rules.archive_rule("stuck", version=None, by=None, now=now)


def test_archived_rule_of_a_source_closes_its_alert_and_is_not_created_again(
    now: datetime,
) -> None:
    create_source(expect_every=timedelta(minutes=1), created_at=now - timedelta(hours=1))
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    assert Alert.objects.get(kind="source_silent").state == "open"
    change_sla_rules.archive_rule("source-silent", version=None, by=None, now=now)
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    assert Alert.objects.get(kind="source_silent").state == "withdrawn"
    assert SlaRule.objects.get(kind="source_silent").archived_at == now


def test_database_refuses_an_enabled_archived_rule(now: datetime) -> None:
    create_rule()
    with pytest.raises(IntegrityError), transaction.atomic():
        SlaRule.objects.update(archived_at=now)
