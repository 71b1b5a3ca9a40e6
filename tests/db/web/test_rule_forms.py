"""New rules, copies, previews and ends of rules in the browser."""

import re
from datetime import datetime, timedelta
from itertools import count

import pytest
from django.test import Client

from tests.builders.alerts import statements
from tests.builders.sla_rules import always_open, create_rule
from tests.builders.sources import create_source
from tests.builders.users import create_user, signed_in
from tests.builders.watched_source import send_and_process
from tests.db.web.test_rules import form, page_of, save_and_confirm
from visibility.alerts.change_sla_rules import create_rule as create_rule_as_people_do
from visibility.db.database_time import database_now
from visibility.models import Alert, AuditEntry, SlaClock, SlaRule, Source, WorkCalendar
from visibility.pipeline import job_functions
from visibility.preferences.change_organization import change_organization
from visibility.screens.rules.preview import preview_rule
from visibility.storage.organization import forget_organization
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
FRAGMENT = {"fragment": "1"}
PREVIEW = {"fragment": "1", "preview": "1"}


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


@pytest.fixture
def wms() -> Source:
    return create_source(title="Dallas", expect_every=None)


def new_form(**changes: str) -> dict[str, str]:
    return {
        "kind": "stuck_in_released",
        "param.within": "4",
        "calendar": "around-the-clock",
        "title": "Dallas ships in time",
        "severity": "high",
        "team": "Warehouse",
        "response": "Call the shift lead.",
        "consequence": "The truck leaves without it.",
        "enabled": "on",
    } | changes


def draft_of(client: Client, values: dict[str, str]) -> str:
    answer = client.post("/rules/draft", values)
    assert answer.status_code == 200
    return answer.content.decode()


def test_kind_leads_to_a_form_of_its_parameters_and_scope(ops: Client) -> None:
    assert "/rules/new" in page_of(ops, "/rules")
    kinds = page_of(ops, "/rules/new")
    assert "/rules/new?kind=stuck_in_released" in kinds
    assert "/rules/new?kind=unacknowledged_alert" in kinds
    page = page_of(ops, "/rules/new?kind=stuck_in_released")
    assert "Alert when an order stays in released for more than 4 working hours." in page
    for text in ("Time limit", "Customer number", "Owner team", "Around the clock"):
        assert text in page
    assert "Role of the source" in page_of(ops, "/rules/new?kind=source_silent")
    assert ops.get("/rules/new?kind=planet").status_code == 404
    assert ops.get("/rules/new?copy=planet").status_code == 404


def test_a_new_rule_about_orders_counts_in_the_hours_of_the_organization(ops: Client) -> None:
    def chosen(kind: str) -> str:
        match = re.search(r'<option value="([^"]*)" selected>', calendar_of_form(kind))
        return match[1] if match else ""

    def calendar_of_form(kind: str) -> str:
        page = page_of(ops, f"/rules/new?kind={kind}")
        return page.partition('name="calendar"')[2].partition("</select>")[0]

    assert chosen("stuck_in_released") == "around-the-clock"
    hours = WorkCalendar.objects.create(code="office", title="Office hours")
    change_organization(
        {"name": "Northwind", "calendar": hours.code},
        version=None,
        by=create_user(UserRole.ADMIN),
        now=database_now(),
    )
    forget_organization()
    assert chosen("stuck_in_released") == "office"
    assert chosen("source_silent") == "around-the-clock"


def test_new_rule_watches_existing_orders(ops: Client, wms: Source, now: datetime) -> None:
    send_and_process(wms, "order.released", now - timedelta(hours=6))
    answer = ops.post("/rules/new", new_form(**{"scope.warehouse": "", "param.within": "5"}))
    assert answer.headers["location"] == "/rules/dallas-ships-in-time"
    page = page_of(ops, answer.headers["location"])
    assert "Rule created. 1 order will be checked." in page
    assert "Version 1, " in page
    assert AuditEntry.objects.get(action="rule.created").user is not None
    job_functions.refold_touched_orders_and_update_kpi_cells()
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    assert Alert.objects.get(kind="sla").state == "open"


def test_errors_are_beside_their_fields_and_the_entered_values_stay(ops: Client) -> None:
    answer = ops.post(
        "/rules/new",
        new_form(
            **{"param.within": "soon", "team": "", "response": " ", "scope.channel": "x" * 101}
        ),
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Time limit must be a number of hours." in page
    assert "Team must be the title of a team." in page
    assert "Response must not be empty while the rule is enabled." in page
    assert "Channel must be at most 100 characters long." in page
    assert 'value="soon"' in page
    assert not SlaRule.objects.exists()


def test_copy_begins_with_the_values_of_the_rule(ops: Client) -> None:
    create_rule(params={"within": 7}, scope={"warehouse": "Dallas"})
    page = page_of(ops, "/rules/new?copy=stuck")
    assert 'value="7"' in page
    assert 'value="Dallas"' in page
    ops.post("/rules/new", new_form(copy="stuck", title="Copy", calendar="dallas"))
    assert AuditEntry.objects.get(action="rule.created").detail["copy_of"] == "stuck"


def test_entered_values_are_shown_as_the_sentence_of_the_list(ops: Client) -> None:
    create_rule(always_open(), title="All orders")
    text = draft_of(
        ops,
        new_form(**{"param.within": "0.5", "scope.customer_no": "C1", "team": ""}) | FRAGMENT,
    )
    assert "Alert when an order stays in released for more than 30 working minutes." in text
    assert "Applies only to customer number: C1." in text
    assert "For customer number: C1, this rule applies instead of “All orders”." in text
    assert "<html" not in text
    assert SlaRule.objects.count() == 1


def test_draft_names_what_is_wrong(ops: Client) -> None:
    text = draft_of(ops, new_form(**{"param.within": "soon"}) | FRAGMENT)
    assert "Within must be a number of hours" in text or "Time limit must be a number" in text


def test_narrower_rule_is_named_where_it_wins(ops: Client) -> None:
    create_rule(always_open(), title="All orders")
    create_rule(code="acme", title="Acme", scope={"customer_no": "C1"})
    create_rule(code="web", title="Web of Acme", scope={"customer_no": "C1", "channel": "web"})
    create_rule(code="other", title="Paused", scope={"customer_no": "C1"}, enabled=False)
    page = page_of(ops, "/rules/acme")
    assert "“Web of Acme” applies instead of this rule." in page
    assert "this rule applies instead of “All orders”." in page
    assert "Paused" not in page.replace("The rule is paused", "")


def test_preview_counts_what_the_live_rule_then_opens(
    ops: Client, wms: Source, now: datetime
) -> None:
    for number, hours in enumerate((2, 6, 30)):
        order = f"SO-{number}"
        send_and_process(wms, "order.released", now - timedelta(hours=hours), order)
    send_and_process(wms, "order.released", now - timedelta(days=3), "SO-9")
    send_and_process(wms, "shipment.confirmed", now - timedelta(days=2), "SO-9")
    text = draft_of(ops, new_form() | PREVIEW)
    assert "This rule would open 2 alerts now; 1 a day over the last 3 days." in text
    assert "The history covers only 3 days." in text
    assert text.index("SO-2") < text.index("SO-1")
    assert "SO-9" not in text
    assert not SlaRule.objects.filter(kind="stuck_in_released").exists()
    assert not SlaClock.objects.exists()
    ops.post("/rules/new", new_form())
    job_functions.refold_touched_orders_and_update_kpi_cells()
    job_functions.enqueue_due_refolds_and_update_due_alerts()
    assert Alert.objects.filter(kind="sla", state="open").count() == 2
    assert Alert.objects.filter(kind="sla").count() == 3


def test_preview_says_which_orders_it_did_not_read(wms: Source, now: datetime) -> None:
    for number in range(60):
        send_and_process(wms, "order.released", now - timedelta(hours=6), f"SO-{number}")
    rule = create_rule(always_open())
    ticks = count(0, 10)
    preview = preview_rule(rule, now=now, clock=lambda: float(next(ticks)))
    assert (preview.orders_read, preview.orders, preview.open_now) == (50, 60, 50)
    assert preview.sentences == [
        "This rule would open 50 alerts now; at least 50 missed deadlines over the last 28 days.",
        "Only the latest 50 of 60 orders were evaluated: there may be more.",
    ]


def test_preview_of_a_source_rule_has_no_rate(ops: Client, now: datetime) -> None:
    create_source(expect_every=timedelta(minutes=1), created_at=now - timedelta(hours=1))
    text = draft_of(
        ops, new_form(**{"kind": "source_silent", "param.grace": "0", "title": "S"}) | PREVIEW
    )
    assert "This rule would open 1 alert now." in text
    assert "is not evaluated for rules of this kind" in text


def test_preview_of_a_kpi_rule_says_why_it_cannot_run(ops: Client) -> None:
    values = new_form(kind="kpi_off_limit", **{"param.kpi": "planet"})
    for name, text in (("days", "7"), ("percent", "95"), ("duration", "72"), ("least", "30")):
        values[f"param.{name}"] = text
    assert "This rule cannot run: " in draft_of(ops, values | PREVIEW)


def test_preview_without_script_shows_the_form_again(ops: Client) -> None:
    page = ops.post("/rules/draft", new_form(preview="1", team="Dock")).content.decode()
    assert "This rule would open 0 alerts now; none so far." in page
    assert 'value="Dock"' in page
    create_rule(always_open())
    page = ops.post("/rules/draft", form(code="stuck", preview="1")).content.decode()
    assert "Alerts of this rule after saving: 0 closed, 0 still active, 0 opened." in page
    assert 'action="/rules/stuck/save"' in page


def test_change_of_a_live_rule_is_saved_after_its_effect_was_shown(
    ops: Client, wms: Source, now: datetime
) -> None:
    create_rule_as_people_do(
        {"kind": "stuck_in_released", "team": "Warehouse", "code": "stuck"}, by=None, now=now
    )
    for number, hours in enumerate((2, 6, 30)):
        order = f"SO-{number}"
        send_and_process(wms, "order.released", now - timedelta(hours=hours), order)
    values = form(**{"param.within": "8"})
    assert ops.post("/rules/stuck/save", values).status_code == 200
    assert SlaRule.objects.get(code="stuck").version == 1
    other = values | {"param.within": "9", "confirmed": "7f"}
    assert ops.post("/rules/stuck/save", other).status_code == 200
    page = save_and_confirm(ops, values)
    assert "after saving: 1 closed, 1 still active, 0 opened." in page
    assert "Timers that run on with new due times: 2." in page
    assert SlaRule.objects.get(code="stuck").version == 2
    paused = save_and_confirm(ops, form(version="2", enabled="absent", **{"param.within": "8"}))
    assert "Saving this stops 1 running timer and closes 2 active alerts" in paused


def test_pause_resume_and_archive_say_in_numbers_what_ends(
    ops: Client, wms: Source, now: datetime
) -> None:
    create_rule_as_people_do(
        {"kind": "stuck_in_released", "team": "Warehouse", "code": "stuck"}, by=None, now=now
    )
    for number, hours in enumerate((2, 6)):
        order = f"SO-{number}"
        send_and_process(wms, "order.released", now - timedelta(hours=hours), order)
    page = page_of(ops, "/rules/stuck")
    assert "archiving the rule stops 1 running timer and closes 1 active alert" in page
    ops.post("/rules/stuck/pause", {"version": "1"})
    assert not SlaRule.objects.get(code="stuck").enabled
    assert "Rule paused. 2 orders will be checked." in page_of(ops, "/rules/stuck")
    ops.post("/rules/stuck/resume", {"version": "1"})
    assert "Not changed" in page_of(ops, "/rules/stuck")
    ops.post("/rules/stuck/resume", {"version": "2"})
    assert SlaRule.objects.get(code="stuck").enabled
    ops.post("/rules/stuck/archive", {"version": "3"})
    page = page_of(ops, "/rules/stuck")
    assert "applies to everything" in page
    assert "enabled: no" in page
    assert "The rule is archived." in page
    assert "/rules/stuck/archive" not in page
    assert "/rules/new?copy=stuck" in page
    assert "/rules/stuck" not in page_of(ops, "/rules")
    assert "/rules/stuck" in page_of(ops, "/rules?archived=yes")
    job_functions.refold_touched_orders_and_update_kpi_cells()
    assert Alert.objects.get(kind="sla").state == "withdrawn"
    assert ops.post("/rules/planet/archive", {"version": "1"}).status_code == 404


def test_list_shows_what_each_rule_watches(ops: Client, wms: Source, now: datetime) -> None:
    create_rule(always_open())
    for number, hours in enumerate((2, 6, 30)):
        order = f"SO-{number}"
        send_and_process(wms, "order.released", now - timedelta(hours=hours), order)
    send_and_process(wms, "shipment.confirmed", now, "SO-0")
    page = page_of(ops, "/rules")
    assert '<td data-title="Timers running" class="number">0</td>' in page
    assert '<td data-title="Breached" class="number leaves-2">2</td>' in page
    assert '<td data-title="Met" class="number leaves-2">1</td>' in page
    assert '<td data-title="Alerts a week" class="number">fewer than 1</td>' in page
    few = statements(ops, "/rules")
    for number in range(9):
        create_rule(code=f"r-{number}")
    assert statements(ops, "/rules") == few


def test_starter_rules_are_offered_when_their_events_arrive(
    ops: Client, wms: Source, now: datetime
) -> None:
    page = page_of(ops, "/rules")
    assert "Offered when a source reports order.released" in page
    assert "/rules/new?kind=stuck_in_released" not in page
    send_and_process(wms, "order.released", now)
    page = page_of(ops, "/rules")
    assert "Dallas reports order.released." in page
    assert "/rules/new?kind=stuck_in_released" in page
    assert "/rules/new?kind=no_tracking_scan" not in page
    checklist = page_of(signed_in(UserRole.ADMIN), "/setup")
    assert "/rules/new?kind=stuck_in_released" in checklist
    ops.post("/rules/new", new_form())
    assert "/rules/new?kind=stuck_in_released" not in page_of(ops, "/rules")
    assert "/rules/new?kind=stuck_in_released" not in page_of(ops, "/rules")


@pytest.mark.parametrize(
    "address", ["/rules/new", "/rules/draft", "/rules/stuck/pause", "/rules/stuck/archive"]
)
def test_changes_need_the_permission_and_the_csrf_token(address: str) -> None:
    create_rule()
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    assert clerk.post(address, new_form()).status_code == 403
    checked = Client(enforce_csrf_checks=True)
    checked.force_login(create_user(UserRole.OPERATIONS, "csrf"))
    assert checked.post(address, new_form()).status_code == 403
    assert SlaRule.objects.get().version == 1
