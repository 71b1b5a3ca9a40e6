"""Rules about KPIs and alerts, from the sweep to the pages and the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.builders.alerts import alert
from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import create_user, signed_in
from visibility.alerts import actions, kpi_and_alert_rules
from visibility.alerts.change_sla_rules import change_rule
from visibility.alerts.sweep_due_clocks_and_snoozes import (
    sweep,
    update_source_and_failing_rule_alerts,
)
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.kpi.load_kpi_snapshot import load_kpi_snapshot
from visibility.models import (
    Alert,
    AlertEntry,
    AlertKind,
    AlertState,
    KpiFact,
    RefoldRequest,
    RuleRecheck,
    SlaRule,
)
from visibility.pipeline import job_functions
from visibility.sla.rules.kpi_off_limit import KpiOffLimit
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def sweep_all() -> int:
    """Run the job."""
    return job_functions.enqueue_due_refolds_and_update_due_alerts()


def enable(code: str, **fields: Any) -> SlaRule:
    """Create the rules as the sweep does, and enable one."""
    sweep(now=database_now())
    rule = SlaRule.objects.get(code=code)
    assert not rule.enabled, "an upgrade opens no alerts that nobody asked for"
    for name, value in {"enabled": True, **fields}.items():
        setattr(rule, name, value)
    rule.save()
    return rule


def fill_lines(numerator: int, denominator: int, **fields: Any) -> KpiFact:
    day = in_zone(database_now(), settings.TIME_ZONE).date()
    created = create_fact(numerator, denominator, day=day, **fields)
    recompute_cells()
    return created


def alerts_of(rule: SlaRule) -> list[Alert]:
    return list(Alert.objects.filter(rule=rule).order_by("pk"))


def test_a_kpi_below_its_limit_opens_one_alert_and_closes_it_again() -> None:
    rule = enable("kpi-off-limit", params={"kpi": "fill_rate", "percent": 90, "least": 1})
    assert sweep_all() == 0  # nothing counts yet
    bad = fill_lines(8, 10)
    assert sweep_all() == 1
    assert sweep_all() == 0
    (opened,) = alerts_of(rule)
    assert (opened.kind, opened.subject_kind, opened.subject_key) == (
        "kpi_off_limit",
        "kpi",
        "fill_rate",
    )
    assert "80" in opened.title
    client = signed_in(UserRole.OPERATIONS, "olga")
    page = client.get(f"/alerts/{opened.pk}").content.decode()
    assert 'href="/numbers/fill_rate"' in page
    assert "Closes automatically when the condition of the rule no longer holds." in page
    assert "KPI fill_rate" in client.get("/alerts?by=one").content.decode()
    (item,) = client.get("/api/v1/alerts?subject_kind=kpi").json()["items"]
    assert (item["id"], item["subject_key"]) == (opened.pk, "fill_rate")
    bad.delete()
    fill_lines(19, 20)
    assert sweep_all() == 1
    opened.refresh_from_db()
    assert (opened.state, opened.resolution) == (AlertState.RESOLVED, "The condition has ended.")
    fill_lines(0, 30)
    assert sweep_all() == 1
    opened.refresh_from_db()
    assert (opened.state, opened.episode) == (AlertState.OPEN, 2)
    assert "38" in opened.title
    SlaRule.objects.filter(pk=rule.pk).update(enabled=False)
    assert sweep_all() == 1
    assert alerts_of(rule)[0].state == AlertState.WITHDRAWN


def test_no_alert_is_locked_while_the_value_of_a_kpi_is_loaded() -> None:
    enable("kpi-off-limit", params={"kpi": "fill_rate", "percent": 90, "least": 1})
    fill_lines(8, 10)
    assert sweep_all() == 1  # there is an alert to lock
    with CaptureQueriesContext(connection) as captured:
        update_source_and_failing_rule_alerts(now=database_now(), load_kpi=load_kpi_snapshot)
    statements = [query["sql"] for query in captured]
    loads = [n for n, sql in enumerate(statements) if "visibility_kpicell" in sql]
    locks = [n for n, sql in enumerate(statements) if _locks_or_changes_alerts(sql)]
    assert loads
    assert locks
    assert max(loads) < min(locks)


def _locks_or_changes_alerts(sql: str) -> bool:
    is_lock = "FOR UPDATE" in sql or sql.startswith(("UPDATE", "INSERT", "DELETE"))
    return is_lock and '"visibility_alert"' in sql


def test_the_scope_of_a_rule_filters_its_kpi() -> None:
    params = {"kpi": "fill_rate", "percent": 90, "least": 1}
    rule = enable("kpi-off-limit", params=params, scope={"channel": "Web"})
    fill_lines(0, 10, channel="EDI")
    fill_lines(10, 10, channel="Web")
    assert sweep_all() == 0
    SlaRule.objects.filter(pk=rule.pk).update(scope={"channel": "EDI"})
    assert sweep_all() == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"params": {"kpi": "no_such"}}, "no KPI is called 'no_such'"),
        ({"scope": {"source": "erp"}}, "fill_rate cannot be filtered by source"),
        ({"scope": {"color": "red"}}, "KPIs have no field 'color'"),
    ],
)
def test_a_rule_that_cannot_be_evaluated_says_so_and_heals(
    fields: dict[str, Any], sentence: str
) -> None:
    rule = enable("kpi-off-limit", **fields)
    escalation = enable_escalation()
    opened_at = database_now() - HOUR
    alert("SO-1", opened_at=opened_at)
    assert sweep_all() == 2  # the other rule still works
    assert len(alerts_of(escalation)) == 1
    (failed,) = Alert.objects.filter(kind=AlertKind.RULE_FAILED)
    assert sentence in failed.title
    SlaRule.objects.filter(pk=rule.pk).update(params={}, scope={})
    assert sweep_all() == 1
    failed.refresh_from_db()
    assert failed.state == AlertState.RESOLVED


def enable_escalation(**fields: Any) -> SlaRule:
    rule = SlaRule.objects.filter(code="unacknowledged-alert").first()
    if rule is None:
        return enable("unacknowledged-alert", **fields)
    for name, value in {"enabled": True, **fields}.items():
        setattr(rule, name, value)
    rule.save()
    return rule


def test_a_kpi_rule_that_raises_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    enable("kpi-off-limit")
    escalation = enable_escalation()
    alert("SO-1", opened_at=database_now() - HOUR)

    def fail(*args: object) -> None:
        raise KeyError("color")

    monkeypatch.setattr(KpiOffLimit, "condition", fail)
    assert sweep_all() == 2
    assert len(alerts_of(escalation)) == 1
    title = Alert.objects.get(kind=AlertKind.RULE_FAILED).title
    assert "fails for 1 KPI" in title
    assert "internal error (KeyError)" in title


def test_an_alert_that_nobody_acknowledges_escalates_once() -> None:
    rule = enable_escalation()
    now, jane = database_now(), create_user(UserRole.OPERATIONS, "jane")
    late = alert("SO-1", opened_at=now - HOUR)
    fresh = alert("SO-2", opened_at=now)
    taken = alert("SO-3", opened_at=now - HOUR, state=AlertState.ACKNOWLEDGED, acknowledged_at=now)
    assert sweep_all() == 1
    assert sweep_all() == 0
    (escalated,) = alerts_of(rule)
    assert escalated.subject_key == str(late.pk) not in {str(fresh.pk), str(taken.pk)}
    assert escalated.title == f"Not acknowledged: {late.title}"
    page = signed_in(UserRole.OPERATIONS, "olga").get(f"/alerts/{escalated.pk}").content.decode()
    assert f'href="/alerts/{late.pk}"' in page
    # The escalation itself does not escalate, however old it gets.
    AlertEntry.objects.filter(alert=escalated).update(at=now - 9 * HOUR)
    assert sweep_all() == 0
    actions.acknowledge(late.pk, by=jane, now=now)
    assert sweep_all() == 1
    escalated.refresh_from_db()
    assert escalated.state == AlertState.RESOLVED
    # Another episode counts from its own opening.
    Alert.objects.filter(pk=late.pk).update(state=AlertState.OPEN, acknowledged_at=None, episode=2)
    reopened = AlertEntry.objects.create(alert=late, at=now, action="reopened")
    assert sweep_all() == 0
    AlertEntry.objects.filter(pk=reopened.pk).update(at=now - HOUR)
    AlertEntry.objects.filter(alert=late).exclude(pk=reopened.pk).delete()
    assert sweep_all() == 1
    escalated.refresh_from_db()
    assert (escalated.state, escalated.episode) == (AlertState.OPEN, 2)


def test_the_scope_of_an_escalation_is_severity_team_or_rule() -> None:
    rule = enable_escalation(scope={"team": "Carriers"})
    alert("SO-1", opened_at=database_now() - HOUR, team="Warehouse")
    assert sweep_all() == 0
    carriers = alert("SO-2", opened_at=database_now() - HOUR, team="Carriers")
    assert sweep_all() == 1
    assert [a.subject_key for a in alerts_of(rule)] == [str(carriers.pk)]


def test_only_the_oldest_alerts_are_read_and_escalated_ones_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule, now = enable_escalation(), database_now()
    newer = alert("SO-1", opened_at=now - HOUR)
    assert sweep_all() == 1
    monkeypatch.setattr(kpi_and_alert_rules, "MAX_ALERTS", 1)
    older = [alert(f"SO-{n}", opened_at=now - n * HOUR) for n in (2, 3)]
    assert sweep_all() == 1
    active = {a.subject_key for a in alerts_of(rule) if a.state == AlertState.OPEN}
    assert active == {str(newer.pk), str(older[1].pk)}


def test_edit_of_a_rule_about_something_else_than_orders_is_one_change() -> None:
    sweep_all()
    admin = create_user(UserRole.ADMIN)
    kinds = ("kpi_off_limit", "unacknowledged_alert", "source_silent")
    for rule in SlaRule.objects.filter(kind__in=kinds):
        change = {"enabled": not rule.enabled}
        result = change_rule(rule.code, change, version=rule.version, by=admin, now=database_now())
        assert result.refolded_orders == 0
        sweep_all()
        assert SlaRule.objects.get(pk=rule.pk).version == rule.version + 1
    assert SlaRule.objects.filter(kind__in=kinds).count() == 3
    assert not RefoldRequest.objects.exists()
    assert not RuleRecheck.objects.filter(finished_at=None).exists()
