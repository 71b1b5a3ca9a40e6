"""The organization: entered in the browser and over the API, in force at once, audited."""

import time
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.identity import create_sources, process_messages, source_message
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.kpi.filters_and_values import DaySpan
from visibility.kpi.periods import PeriodLength, split_into_periods
from visibility.models import (
    AuditEntry,
    BackfillRequest,
    ConfigurationVersion,
    Order,
    Organization,
    RefoldRequest,
    WorkCalendar,
)
from visibility.pipeline import job_functions
from visibility.pipeline.refold_orders import refold_batch
from visibility.storage import organization
from visibility.storage.organization import (
    StoredOrganization,
    fiscal_year_start,
    organization_currency,
    organization_name,
    organization_time_zone,
    start_of_week,
)
from visibility.web.date_range import PRESETS
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
URL = "/organization"
API = "/api/v1/organization"
VALUES = {
    "name": "Acme Distribution",
    "time_zone": "America/Chicago",
    "currency": "usd",
    "week_start": "sunday",
    "fiscal_year_start": "7",
    "calendar": "",
}


@pytest.fixture
def admin() -> Client:
    """A client of an administrator."""
    return signed_in(UserRole.ADMIN)


@pytest.fixture(autouse=True)
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that were asked for."""
    asked: list[str] = []
    monkeypatch.setattr(job_functions, "ask_worker_to_run_job_now", asked.append)
    return asked


def patch(client: Client, **body: Any) -> Any:
    return client.patch(API, body, content_type="application/json")


def test_without_an_organization_the_environment_decides(admin: Client, settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Madrid"
    assert organization_time_zone() == "Europe/Madrid"
    assert "Nobody has entered the organization yet" in admin.get(URL).content.decode()
    answer = admin.get(API).json()
    assert (answer["time_zone"], answer["version"]) == ("Europe/Madrid", 0)


def test_what_is_saved_in_the_form_is_in_force_and_audited(admin: Client) -> None:
    calendar = WorkCalendar.objects.create(code="dallas", title="Dallas", zone="UTC", hours={})
    answer = admin.post(URL, VALUES | {"calendar": calendar.code, "version": "0"})
    assert (answer.status_code, answer["Location"]) == (302, URL)
    assert organization_name() == "Acme Distribution"
    assert organization_time_zone() == "America/Chicago"
    assert organization_currency() == "USD"
    assert (start_of_week(), fiscal_year_start()) == (6, 7)
    assert Organization.objects.get().calendar == calendar
    entry = AuditEntry.objects.get(action="organization.changed")
    assert (entry.user and entry.user.username, entry.detail["version"]) == ("admin", 1)
    assert entry.detail["before"]["time_zone"] == "UTC"
    assert entry.detail["after"]["calendar"] == "dallas"
    history = "Name: Acme Distribution; time zone: America/Chicago"
    assert history in admin.get(URL).content.decode()


def test_each_error_is_at_its_field_and_nothing_is_lost(admin: Client) -> None:
    entered = {
        "name": " ",
        "time_zone": "Gotham",
        "currency": "dollar",
        "week_start": "friday",
        "fiscal_year_start": "13",
        "calendar": "nowhere",
    }
    answer = admin.post(URL, entered)
    html = answer.content.decode()
    assert answer.status_code == 422
    for sentence in (
        "Enter a name.",
        "Enter the name of a time zone such as America/Chicago.",
        "Enter the three letters of a currency, such as USD.",
        "Choose monday, sunday, saturday.",
        "Choose a month from 1 to 12.",
        "No calendar has this code.",
    ):
        assert sentence in html
    assert 'value="Gotham"' in html
    assert 'value="dollar"' in html
    assert not Organization.objects.exists()
    problem = patch(admin, name="x", time_zone="Gotham", currency="12")
    assert {each["path"] for each in problem.json()["errors"]} == {"time_zone", "currency"}


@pytest.mark.parametrize(
    ("entered", "stored"),
    [("chicago", "America/Chicago"), ("New York", "America/New_York"), ("UTC", "UTC")],
)
def test_a_city_names_its_time_zone(admin: Client, entered: str, stored: str) -> None:
    assert patch(admin, name="Acme", time_zone=entered).status_code == 200
    assert Organization.objects.get().time_zone == stored


def test_api_changes_only_what_is_given_and_refuses_an_outdated_version(admin: Client) -> None:
    assert patch(admin, name="Acme", currency="EUR", version=0).status_code == 200
    answer = patch(admin, fiscal_year_start=4, version=1).json()
    assert (answer["name"], answer["currency"], answer["fiscal_year_start"]) == ("Acme", "EUR", 4)
    assert patch(admin, name="Other", version=1).status_code == 409
    html = admin.post(URL, VALUES | {"version": "1"})
    assert html.status_code == 409
    assert "Not saved: " in html.content.decode()
    assert organization_name() == "Acme"
    assert admin.post(URL, VALUES | {"name": "Acme", "version": "2"}).status_code == 302
    assert patch(admin, name="Acme").json()["version"] == 3


@pytest.mark.parametrize("role", [r for r in UserRole if r is not UserRole.ADMIN])
def test_only_administrators_see_and_change_it(role: UserRole) -> None:
    client = signed_in(role)
    assert client.get(URL).status_code == 403
    assert client.post(URL, VALUES).status_code == 403
    assert client.get(API).status_code == 403
    assert patch(client, name="Mine").status_code == 403
    assert not Organization.objects.exists()


def test_change_renews_the_configuration_version(admin: Client) -> None:
    patch(admin, name="Acme")
    before = ConfigurationVersion.objects.get().version
    patch(admin, name="Acme Supply")
    assert ConfigurationVersion.objects.get().version != before


def test_another_process_uses_a_change_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(organization, "MAX_AGE", 1.0)
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(organization, "_latest", StoredOrganization(None, 100.0))
    fields = {"currency": "USD", "week_start": "monday", "fiscal_year_start": 1}
    Organization.objects.create(id=1, name="Acme", time_zone="Asia/Tokyo", **fields)
    assert organization_time_zone() == "UTC"
    clock[0] = 101.0
    assert organization_time_zone() == "Asia/Tokyo"


def test_times_of_pages_are_in_the_new_zone_at_once(admin: Client) -> None:
    patch(admin, name="Acme", time_zone="Pacific/Kiritimati")
    html = admin.get(URL).content.decode()
    assert 'data-zone="Pacific/Kiritimati"' in html
    day = database_now().astimezone(ZoneInfo("Pacific/Kiritimati"))
    assert f"As of {day:%a, %b} {day.day}, {day.year}" in html


def test_new_time_zone_is_applied_to_the_promises_of_all_orders(
    admin: Client, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_sources()
    promised = {"promised_at": "2099-03-03"}
    process_messages(
        [source_message("erp", "order.received", 0, order="SO-1", attributes=promised)]
    )
    assert Order.objects.get().promise_ends_at == datetime(2099, 3, 4, tzinfo=UTC)
    answer = admin.post(URL, VALUES)
    assert answer.status_code == 302
    assert jobs == ["refold"]
    assert RefoldRequest.objects.count() + BackfillRequest.objects.count() == 1
    # A worker whose copy is up to a second old must not use it for this.
    monkeypatch.setattr(organization, "_latest", StoredOrganization(None, 0.0))
    refold_batch()
    assert Order.objects.get().promise_ends_at == datetime(2099, 3, 4, 6, tzinfo=UTC)


def test_weeks_and_fiscal_years_of_kpis_follow_the_organization(admin: Client) -> None:
    patch(admin, name="Acme", week_start="sunday", fiscal_year_start=7)
    day = date(2026, 3, 4)  # a Wednesday
    assert PRESETS["week"].start(day).isoformat() == "2026-03-01"
    assert PRESETS["year"].start(day).isoformat() == "2025-07-01"
    assert PRESETS["quarter"].start(day).isoformat() == "2026-01-01"
    periods = split_into_periods(DaySpan(day, day), PeriodLength.WEEK, day)
    assert [period.start.isoformat() for period in periods] == ["2026-03-01"]
