"""The pages of SLA rules: sentences, validated changes, versions, and what follows a change."""

import re
from datetime import datetime, timedelta

import pytest
from django.test import Client

from tests.builders.alerts import statements
from tests.builders.sla_rules import always_open, create_rule
from tests.builders.sources import create_source
from tests.builders.users import signed_in
from tests.builders.watched_source import send_and_process
from visibility.models import (
    Alert,
    AuditEntry,
    SlaClock,
    SlaRule,
    Source,
    Team,
)
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


@pytest.fixture
def wms() -> Source:
    create_rule(always_open())
    return create_source(title="Dallas", expect_every=None)


def form(**changes: str) -> dict[str, str]:
    values = {
        "version": "1",
        "param.within": "4",
        "severity": "high",
        "team": "Warehouse",
        "enabled": "on",
    } | changes
    return {name: value for name, value in values.items() if value != "absent"}


def save_and_confirm(client: Client, values: dict[str, str]) -> str:
    """Post the form, and again with the confirmation that the page asks for; return that page."""
    answer = client.post("/rules/stuck/save", values)
    assert answer.status_code == 200
    page = answer.content.decode()
    confirmation = re.search(r'name="confirmed" value="(\w+)"', page)
    assert confirmation
    assert (
        client.post("/rules/stuck/save", values | {"confirmed": confirmation[1]}).status_code == 302
    )
    return page


def page_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_list_shows_each_rule_as_a_sentence(ops: Client) -> None:
    create_rule(params={"within": 8}, scope={"warehouse": "Dallas"})
    page = page_of(ops, "/rules")
    assert "Alert when an order stays in released for more than 8 working hours." in page
    assert "Applies only to warehouse: Dallas." in page
    assert "Customer service delay, Revenue leakage" in page


def test_list_has_pages_and_a_constant_number_of_statements(ops: Client) -> None:
    create_rule(code="r-00")
    few = statements(ops, "/rules")
    for number in range(1, 60):
        create_rule(code=f"r-{number:02}")
    assert statements(ops, "/rules") == few
    assert "/rules/r-49" in page_of(ops, "/rules")
    assert "/rules/r-50" not in page_of(ops, "/rules")
    assert "/rules/r-59" in page_of(ops, "/rules?after=r-49")


def test_rule_that_cannot_run_does_not_take_the_list_down(ops: Client) -> None:
    create_rule(code="unknown", kind="planet")
    create_rule(code="invalid", params={"within": HOSTILE})
    create_rule(code="listed", params=["within"], scope=["x"])
    page = page_of(ops, "/rules")
    assert page.count("Cannot run") == 3
    assert "No kind of rule is called “planet”." in page
    for code in ("unknown", "invalid", "listed"):
        detail = page_of(ops, f"/rules/{code}")
        assert "This rule cannot run." in detail
        assert HOSTILE not in detail


@pytest.mark.parametrize(
    "role", [UserRole.CUSTOMER_SERVICE, UserRole.EXECUTIVE, UserRole.INTEGRATOR]
)
def test_rules_need_a_permission(role: UserRole) -> None:
    create_rule()
    client = signed_in(role)
    assert client.get("/rules").status_code == 403
    assert client.get("/rules/stuck").status_code == 403
    assert client.post("/rules/stuck/save", form()).status_code == 403


def test_change_is_saved_as_a_version_and_audited(ops: Client) -> None:
    create_rule(params={"within": 4})
    answer = ops.post(
        "/rules/stuck/save",
        form(**{"param.within": "0.5", "severity": "low", "team": "Night shift"}),
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, "/rules/stuck")
    saved = SlaRule.objects.get()
    assert (saved.params, saved.severity, saved.version) == ({"within": 0.5}, "low", 2)
    assert saved.owner_team == Team.objects.get(title="Night shift")
    entry = AuditEntry.objects.get(action="rule.changed")
    assert (entry.object, entry.detail["version"]) == ("rule stuck", 2)
    assert entry.detail["before"]["params"] == {"within": 4}
    assert entry.detail["after"] == {
        "params": {"within": 0.5},
        "severity": "low",
        "team": "Night shift",
    }
    page = page_of(ops, "/rules/stuck")
    assert "Saved as version 2." in page
    assert "more than 30 working minutes" in page
    assert "Version 2, " in page


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"param.within": "soon"}, "Time limit must be a number of hours."),
        ({"param.within": "0"}, "Time limit must be at least 1 working minute."),
        ({"severity": "worst"}, "Severity must be one of low, medium, high, critical."),
        ({"team": " "}, "Team must be the title of a team."),
        ({"team": "x" * 81}, "Team must be at most 80 characters long."),
        ({"param.within": HOSTILE}, "Time limit must be a number of hours."),
    ],
)
def test_invalid_change_is_refused_with_a_sentence_and_keeps_what_was_entered(
    ops: Client, changes: dict[str, str], sentence: str
) -> None:
    create_rule(params={"within": 4})
    answer = ops.post("/rules/stuck/save", form(**changes))
    page = answer.content.decode()
    assert answer.status_code == 400
    assert sentence in page
    assert HOSTILE not in page
    assert SlaRule.objects.get().version == 1
    assert not AuditEntry.objects.filter(action="rule.changed").exists()


def test_form_without_changes_saves_nothing(ops: Client) -> None:
    create_rule(params={})
    ops.post("/rules/stuck/save", form())
    assert SlaRule.objects.get().version == 1
    assert "Nothing was changed." in page_of(ops, "/rules/stuck")


def test_change_of_an_outdated_version_is_refused(ops: Client) -> None:
    create_rule(params={"within": 4})
    SlaRule.objects.update(version=7)
    answer = ops.post("/rules/stuck/save", form(severity="low"))
    assert answer.status_code == 409
    assert SlaRule.objects.get().severity == "high"
    assert "<td>low</td><td>high</td>" in answer.content.decode()


def test_clocks_and_alerts_follow_a_change_of_the_time_limit(
    ops: Client, wms: Source, now: datetime
) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=6))
    assert Alert.objects.get(kind="sla").state == "open"
    save_and_confirm(ops, form(**{"param.within": "8"}))
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert Alert.objects.get(kind="sla").state == "withdrawn"
    assert SlaClock.objects.get().rule_version == 2
    save_and_confirm(ops, form(version="2", enabled="absent", **{"param.within": "8"}))
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert not SlaClock.objects.exists()


def test_change_of_the_severity_alone_refolds_nothing(
    ops: Client, wms: Source, now: datetime
) -> None:
    send_and_process(wms, "order.released", now)
    ops.post("/rules/stuck/save", form(severity="low"))
    assert job_functions.refold_touched_orders_and_update_kpi_cells() == 0


def test_history_names_parameters_as_the_form_does(ops: Client) -> None:
    create_rule(params={"within": 4})
    ops.post("/rules/stuck/save", form(**{"param.within": "8"}))
    assert "Time limit (working hours): 8" in page_of(ops, "/rules/stuck")


def test_reload_of_a_rejected_form_leads_to_the_rule(ops: Client) -> None:
    create_rule()
    answer = ops.get("/rules/stuck/save")
    assert (answer.status_code, answer.headers["location"]) == (302, "/rules/stuck")
