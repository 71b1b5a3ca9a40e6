"""Calendars: pages and API, checks at the fields, versions by date, and what follows a change."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.alerts import statements
from tests.builders.sla_rules import create_rule
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, RuleRecheck, SlaRule, WorkCalendar
from visibility.models.master import Location
from visibility.models.rules_clocks_and_calendars import working_hours_values
from visibility.screens.calendars.queries import country_choices
from visibility.sla.calendar import DAYS
from visibility.sla.calendar_versions import load_calendar, versions_of_calendar
from visibility.sla.recheck_orders import start_rechecks_of_changed_rules
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
WORK_WEEK = ("mon", "tue", "wed", "thu", "fri")


@pytest.fixture
def ops() -> Client:
    return signed_in(UserRole.OPERATIONS)


def form(**changes: str) -> dict[str, str]:
    hours = {f"hours.{day}": "8:00-12:00, 13:00 \u2013 17:00" for day in WORK_WEEK}
    return {
        "title": "Dallas warehouse",
        "zone": "America/Chicago",
        **hours,
        "holidays": "US",
        "subdivision": "TX",
        "closed_days": "12-24 Christmas Eve\n2027-01-04",
        "exceptions": "2026-12-31 08:00-12:00 Stocktaking\n2027-07-05 closed",
        "cutoffs.0.warehouse": "Dallas",
        "cutoffs.0.carrier": "UPS",
        "cutoffs.0.mon": "17:00",
        "cutoffs.1.warehouse": "Dallas",
        "cutoffs.1.fri": "9:30",
    } | changes


def page_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def created(ops: Client, **changes: str) -> WorkCalendar:
    answer = ops.post("/calendars/new", form(**changes))
    assert answer.status_code == 302, re.findall("field-error[^<]*<?[^<]*", answer.content.decode())
    return WorkCalendar.objects.get(code=answer.headers["Location"].rpartition("/")[2])


def test_form_creates_a_calendar_in_the_stored_form_and_audits_it(ops: Client) -> None:
    row = created(ops)
    spans = [["08:00", "12:00"], ["13:00", "17:00"]]
    assert row.code == "dallas-warehouse"
    assert row.hours == dict.fromkeys(WORK_WEEK, spans)
    assert (row.holidays, row.subdivision, row.zone) == ("US", "TX", "America/Chicago")
    assert row.closed_days == [
        {"day": "12-24", "title": "Christmas Eve"},
        {"day": "2027-01-04", "title": ""},
    ]
    assert row.exceptions[0] == {
        "date": "2026-12-31",
        "hours": [["08:00", "12:00"]],
        "title": "Stocktaking",
    }
    assert row.exceptions[1]["hours"] == []
    assert row.cutoffs == [
        {"warehouse": "Dallas", "carrier": "UPS", "times": {"mon": "17:00"}},
        {"warehouse": "Dallas", "carrier": "", "times": {"fri": "09:30"}},
    ]
    assert AuditEntry.objects.get(action="calendar.created").object == "calendar dallas-warehouse"
    page = page_of(ops, "/calendars/dallas-warehouse")
    assert "Mon to Fri 08:00-12:00, 13:00-17:00 (America/Chicago)" in page
    assert "08:00-12:00 Stocktaking" in page or database_now().date() > date(2026, 12, 31)


def test_new_calendar_has_the_time_zone_of_the_organization(
    ops: Client, settings: Settings
) -> None:
    settings.TIME_ZONE = "America/Chicago"
    form = ops.get("/calendars/new").content.decode()
    assert re.search('name="zone"[^>]*value="America/Chicago"', form)


def test_unchanged_form_changes_nothing(ops: Client) -> None:
    created(ops)
    page = page_of(ops, "/calendars/dallas-warehouse")
    sent = dict(re.findall(r'<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', page))
    sent |= dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>([^<]*)', page))
    sent["holidays"] = "US"
    answer = ops.post("/calendars/dallas-warehouse/save", sent, follow=True)
    assert "Nothing was changed." in answer.content.decode()
    assert WorkCalendar.objects.get(code="dallas-warehouse").version == 1


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("title", "", "Enter a title of at most 120 characters."),
        ("zone", "Mars/Base", "Unknown time zone"),
        ("hours.tue", "8 to 5", "Enter up to 6 spans such as 08:00-12:00"),
        ("hours.tue", "08:00-12:00, 11:00-13:00", "overlap"),
        ("hours.tue", "22:00-09:00", "overlap those of"),
        ("holidays", "XX", "No public holidays are known for"),
        ("subdivision", "Bavaria", "US has no subdivision"),
        ("closed_days", "12-24 ok\nChristmas", "Christmas: Begin with a date such as 2026-12-24"),
        ("closed_days", "02-30", "Begin with a date"),
        ("exceptions", "2026-12-31 half a day", "2026-12-31 half a day: Begin with a date"),
        ("exceptions", "2026-12-31 closed\n2026-12-31 closed", "is in the list twice"),
        ("exceptions", "2026-12-31 08:00-12:00, 11:00-13:00", "overlap"),
        ("cutoffs.0.mon", "25:00", "Enter a time such as 17:00."),
        ("cutoffs.1.carrier", "ups", "another cut-off of the same warehouse and carrier"),
        ("cutoffs.0.mon", "", "Enter the time of at least one weekday."),
    ],
)
def test_error_is_at_its_field_and_nothing_is_lost(
    ops: Client, field: str, text: str, sentence: str
) -> None:
    answer = ops.post("/calendars/new", form(**{field: text}))
    page = answer.content.decode().replace("&#x27;", "'")
    assert answer.status_code == 422
    assert not WorkCalendar.objects.exists()
    assert sentence in page
    (marked,) = set(re.findall(r'name="([^"]+)"[^>]* aria-invalid="true"', page)) - {
        "cutoffs.0.warehouse",
        "cutoffs.1.warehouse",
    } or [field]
    assert marked == field
    for value in form(**{field: text}).values():
        assert value.splitlines()[-1] in page if value else True


def test_hours_over_midnight_count_to_the_day_on_which_they_open(ops: Client) -> None:
    row = created(ops, **{"hours.fri": "22:00-06:00", "exceptions": "", "closed_days": ""})
    calendar = load_calendar(row)
    start = datetime(2026, 3, 6, 20, tzinfo=ZoneInfo("America/Chicago"))
    due = calendar.add_working_time(start, timedelta(hours=7))
    assert due == datetime(2026, 3, 7, 5, tzinfo=ZoneInfo("America/Chicago"))


def test_own_days_exceptions_and_state_holidays_are_observed(ops: Client) -> None:
    row = created(ops, exceptions="2026-12-25 10:00-11:00\n2026-12-28 closed")
    calendar = load_calendar(row)
    open_on = [d for d in range(21, 32) if calendar.spans_on(date(2026, 12, d))]
    # The 24th is an own day, the 28th an exception; the exception opens on the holiday.
    assert open_on == [21, 22, 23, 25, 29, 30, 31]
    san_jacinto = date(2026, 4, 21)
    assert calendar.is_closed_day(san_jacinto)
    assert not replace(calendar, subdivision="").is_closed_day(san_jacinto)


def test_change_counts_from_its_date_and_leaves_what_was_counted(ops: Client) -> None:
    row = created(ops, holidays="", subdivision="", closed_days="", exceptions="", zone="UTC")
    today = database_now().date()
    monday = today + timedelta(days=7 - today.weekday())
    hours = {f"hours.{day}": "08:00-10:00" for day in WORK_WEEK}
    answer = ops.post(
        f"/calendars/{row.code}/save",
        form(
            zone="UTC",
            holidays="",
            subdivision="",
            closed_days="",
            exceptions="",
            effective_from=(monday + timedelta(days=1)).isoformat(),
            **hours,
        ),
    )
    assert answer.status_code == 302
    row.refresh_from_db()
    calendar = load_calendar(row)
    noon = datetime.combine(monday, datetime.min.time(), UTC) + timedelta(hours=12)
    # Four hours of Monday by the old hours, then two each day.
    assert calendar.add_working_time(noon, timedelta(hours=4)) == noon + timedelta(hours=5)
    assert calendar.add_working_time(noon, timedelta(hours=7)) == noon + timedelta(days=2, hours=-3)
    assert row.hours["mon"] == [["08:00", "12:00"], ["13:00", "17:00"]]
    page = page_of(ops, "/calendars")
    assert f"From {monday + timedelta(days=1)}: Mon to Fri 08:00-10:00." in page


def test_past_day_cannot_be_changed(ops: Client) -> None:
    row = created(ops)
    answer = ops.post(
        f"/calendars/{row.code}/save",
        form(effective_from="2026-01-01", **{"hours.mon": "08:00-09:00"}),
    )
    assert answer.status_code == 422
    assert "days that have passed keep their hours" in answer.content.decode()
    assert len(versions_of_calendar(WorkCalendar.objects.get())) == 1


def test_change_that_has_not_taken_effect_can_be_edited_and_removed(ops: Client) -> None:
    row = created(ops)
    day = (database_now().date() + timedelta(days=40)).isoformat()
    address = f"/calendars/{row.code}"
    ops.post(f"{address}/save", form(effective_from=day, **{"hours.mon": "08:00-09:00"}))
    assert 'value="08:00-09:00"' in page_of(ops, f"{address}?from={day}")
    assert 'value="08:00-09:00"' not in page_of(ops, address)
    ops.post(f"{address}/save", form(effective_from=day, **{"hours.mon": "08:00-11:00"}))
    row.refresh_from_db()
    assert [v["hours"]["mon"] for v in row.later_versions] == [[["08:00", "11:00"]]]
    assert ops.post(f"{address}/versions/{day}/remove", {"version": "3"}).status_code == 302
    row.refresh_from_db()
    assert (row.later_versions, row.version) == ([], 4)


def test_rule_gets_a_new_version_and_its_orders_are_checked_only_if_hours_change(
    ops: Client,
) -> None:
    row = created(ops)
    rule = create_rule(row)
    start_rechecks_of_changed_rules(now=database_now())
    before = RuleRecheck.objects.get(rule=rule)
    ops.post(f"/calendars/{row.code}/save", form(**{"cutoffs.0.mon": "16:00"}))
    rule.refresh_from_db()
    assert (rule.version, RuleRecheck.objects.get(rule=rule).fingerprint) == (1, before.fingerprint)
    ops.post(f"/calendars/{row.code}/save", form(**{"hours.mon": "08:00-09:00"}))
    rule.refresh_from_db()
    after = RuleRecheck.objects.get(rule=rule)
    assert (rule.version, after.rule_version) == (2, 2)
    assert after.fingerprint != before.fingerprint
    entry = AuditEntry.objects.get(action="rule.changed")
    assert entry.user is not None
    assert entry.detail["after"] == {"calendar": "dallas-warehouse, version 3"}
    assert start_rechecks_of_changed_rules(now=database_now()) == []


def test_two_calendars_cannot_name_the_same_pair(ops: Client) -> None:
    created(ops)
    answer = ops.post("/calendars/new", form(title="Other", **{"cutoffs.0.warehouse": "DALLAS"}))
    assert answer.status_code == 422
    assert "Dallas warehouse” has a cut-off of this pair already." in answer.content.decode()


def test_concurrent_change_is_refused_with_the_entered_values(ops: Client) -> None:
    row = created(ops)
    ops.post(f"/calendars/{row.code}/save", form(version="1", title="Dallas 2"))
    answer = ops.post(f"/calendars/{row.code}/save", form(version="1", title="Dallas 3"))
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "<td>Dallas 3</td><td>Dallas 2</td>" in page
    assert 'value="Dallas 3"' in page


def test_used_calendar_is_listed_with_its_users_and_not_deleted(ops: Client) -> None:
    row = created(ops)
    create_rule(row, title="Ships in time")
    Location.objects.create(
        code="DAL", title="Dallas DC", calendar=row.code, key="DAL", changed_at=database_now()
    )
    page = page_of(ops, f"/calendars/{row.code}")
    assert '<a href="/rules/stuck">Ships in time</a>' in page
    assert "Dallas DC" in page
    assert "Delete calendar" not in page
    assert ops.post(f"/calendars/{row.code}/delete").status_code == 302
    assert WorkCalendar.objects.filter(pk=row.pk).exists()
    SlaRule.objects.all().delete()
    Location.objects.all().delete()
    ops.post(f"/calendars/{row.code}/delete")
    assert not WorkCalendar.objects.exists()
    assert AuditEntry.objects.filter(action="calendar.deleted").count() == 1


def test_copy_has_the_hours_without_cutoffs(ops: Client) -> None:
    row = created(ops)
    answer = ops.post(f"/calendars/{row.code}/copy", {"title": "Reno"})
    assert answer.headers["Location"] == "/calendars/reno"
    copy = WorkCalendar.objects.get(code="reno")
    assert (copy.hours, copy.exceptions, copy.cutoffs) == (row.hours, row.exceptions, [])


def test_list_has_pages_and_a_constant_number_of_statements(ops: Client) -> None:
    WorkCalendar.objects.create(code="c-00", title="C")
    few = statements(ops, "/calendars")
    for number in range(1, 60):
        WorkCalendar.objects.create(code=f"c-{number:02}", title="C")
    assert statements(ops, "/calendars") == few
    assert "/calendars/c-50" not in page_of(ops, "/calendars")
    assert "/calendars/c-59" in page_of(ops, "/calendars?after=c-49")


@pytest.mark.parametrize(
    "role", [UserRole.CUSTOMER_SERVICE, UserRole.EXECUTIVE, UserRole.INTEGRATOR]
)
def test_calendars_need_a_permission(role: UserRole) -> None:
    WorkCalendar.objects.create(code="dallas", title="Dallas")
    client = signed_in(role)
    for address in ("/calendars", "/calendars/dallas", "/calendars/new"):
        assert client.get(address).status_code == 403
    assert client.post("/calendars/dallas/save", form()).status_code == 403
    assert client.post("/calendars/dallas/delete").status_code == 403


def test_form_needs_a_csrf_token(ops: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = ops.cookies
    assert strict.post("/calendars/new", form()).status_code == 403


def test_rule_links_to_its_calendar_and_can_choose_another(ops: Client) -> None:
    rule = create_rule(WorkCalendar.objects.create(code="old", title="Old hours"))
    other = created(ops)
    page = page_of(ops, "/rules/stuck")
    assert '<a href="/calendars/old">Old hours</a>' in page
    values = {"version": "1", "param.within": "4", "severity": "high", "team": "Warehouse"}
    saved = ops.post("/rules/stuck/save", values | {"enabled": "on", "calendar": other.code})
    assert saved.status_code == 302
    rule.refresh_from_db()
    assert (rule.calendar, rule.version) == (other, 2)
    entry = AuditEntry.objects.get(action="rule.changed")
    assert (entry.detail["before"], entry.detail["after"]) == (
        {"calendar": "old"},
        {"calendar": other.code},
    )
    values |= {"version": "2", "enabled": "on", "calendar": "gone"}
    refused = ops.post("/rules/stuck/save", values)
    assert refused.status_code == 400
    assert "must be the code of a calendar" in refused.content.decode().lower()


def call(client: Client, method: str, path: str, body: dict[str, Any]) -> Any:
    return getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json")


def test_api_creates_changes_copies_and_deletes(ops: Client) -> None:
    body = {
        "title": "Reno",
        "zone": "America/Los_Angeles",
        "hours": {day: [["06:00", "14:00"]] for day in DAYS},
        "cutoffs": [{"warehouse": "Reno", "carrier": "", "times": {"mon": "13:00"}}],
    }
    answer = call(ops, "post", "calendars", body)
    assert (answer.status_code, answer.json()["code"]) == (201, "reno")
    later = (database_now().date() + timedelta(days=9)).isoformat()
    change = {"hours": {"mon": [["06:00", "10:00"]]}, "effective_from": later, "version": 1}
    changed = call(ops, "patch", "calendars/reno", change).json()
    assert [v["starts_on"] for v in changed["versions"]] == [None, later]
    assert changed["versions"][1]["hours"] == {"mon": [["06:00", "10:00"]]}
    assert changed["versions"][1]["cutoffs"] == body["cutoffs"]
    assert call(ops, "patch", "calendars/reno", change).status_code == 409
    assert call(ops, "post", "calendars/reno/copy", {"title": "Two"}).json()["code"] == "two"
    removed = call(ops, "delete", f"calendars/reno/versions/{later}", {}).json()
    assert len(removed["versions"]) == 1
    assert call(ops, "delete", f"calendars/reno/versions/{later}", {}).status_code == 404
    assert call(ops, "delete", "calendars/reno", {}).status_code == 200
    assert call(ops, "delete", "calendars/reno", {}).status_code == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"hours": {"mon": "8-5"}}, "hours.mon"),
        ({"hours": {"monday": []}}, "hours"),
        ({"closed_days": ["12-24"]}, "closed_days.0"),
        ({"exceptions": [{"date": "2026-13-01"}]}, "exceptions.0"),
        ({"cutoffs": [{"warehouse": 7, "times": {"mon": "17:00"}}]}, "cutoffs.0.warehouse"),
        ({"cutoffs": [{"times": {"mon": 17}}]}, "cutoffs.0.mon"),
        ({"cutoffs": [{"times": {}}]}, "cutoffs.0"),
        ({"cutoffs": [{"times": {"mon": "17:00"}, "color": "red"}]}, "cutoffs.0"),
        ({"zone": "\0"}, "zone"),
        ({"effective_from": "2020-01-01", "zone": "UTC"}, "effective_from"),
    ],
)
def test_api_names_the_field_of_an_error(ops: Client, body: dict[str, Any], path: str) -> None:
    WorkCalendar.objects.create(code="dallas", title="Dallas", zone="America/Chicago")
    answer = call(ops, "patch", "calendars/dallas", body)
    assert answer.status_code == 400
    assert path in [error["path"] for error in answer.json()["errors"]]
    assert WorkCalendar.objects.get().version == 1


def test_upgrade_does_not_check_all_orders_again() -> None:
    create_rule()
    rule = SlaRule.objects.select_related("calendar").get()
    # The fields of the older release alone: the same fingerprint.
    assert working_hours_values(rule.calendar) == ["UTC", {}, ""]


def test_countries_have_their_proper_names() -> None:
    names = dict(country_choices())
    assert names["HK"] == "Hong Kong"
    assert names["CD"] == "Democratic Republic of the Congo"
    assert names["IM"] == "Isle of Man"
    assert names["BA"] == "Bosnia and Herzegovina"
    assert names["HM"].endswith("and McDonald Islands")
    assert names["US"] == "United States"
    assert list(names.values())[:3] == ["Afghanistan", "Åland Islands", "Albania"]
