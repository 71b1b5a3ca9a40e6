"""The audit log in the browser and over the API."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.builders.users import create_user, signed_in
from visibility.db.database_time import database_now
from visibility.models.audit import append_audit_entry
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator() -> Client:
    """A log with 60 entries; `ada` changed a rule last."""
    ada = create_user(UserRole.ADMIN, "ada")
    now = database_now() - timedelta(days=10)
    for index in range(59):
        append_audit_entry("source.set", user=None, object=f"wms-{index}", detail={}, now=now)
    append_audit_entry(
        "rule.changed",
        user=ada,
        object="=cmd|stuck <b>",
        detail={"before": {"hours": 4, "team": "a"}, "after": {"hours": 8, "team": "a"}},
        now=database_now(),
    )
    return signed_in(UserRole.ADMIN)


def text_of(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def test_entries_are_paged_newest_first_and_escaped(administrator: Client) -> None:
    page = text_of(administrator, "/audit")
    assert "Rule: changed" in page
    assert "=cmd|stuck &lt;b&gt;" in page
    assert "hours</span> 4 → 8" in page
    assert "team</span>" not in page
    assert "wms-0<" not in page
    before = page.partition('href="/audit?before=')[2].partition('"')[0]
    assert "wms-0<" in text_of(administrator, f"/audit?before={before}")


def test_filters_narrow_page_file_and_api_alike(administrator: Client) -> None:
    page = text_of(administrator, "/audit?area=rule&username=ADA")
    assert "1 entry matches the filters" in page
    assert "Source: set" not in page
    today = f"{database_now():%Y-%m-%d}"
    assert "1 entry matches" in text_of(administrator, f"/audit?since={today}&area=rule")
    assert "No entry matches" in text_of(administrator, "/audit?text=nothing")
    listed = administrator.get("/api/v1/audit", {"area": "rule", "username": "ada"}).json()
    assert [row["object"] for row in listed["items"]] == ["=cmd|stuck <b>"]
    assert listed["items"][0]["detail"]["after"]["hours"] == 8

    file = administrator.get("/audit/export?area=rule").getvalue().decode()
    rows = list(csv.reader(io.StringIO(file)))
    assert ["Filters", "Area: Rules"] in rows
    assert [row[3] for row in rows if len(row) == 6] == ["Object", "'=cmd|stuck <b>"]
    assert "asked</span>" in text_of(administrator, "/audit?area=export")


@pytest.mark.parametrize("day", ["today", "1999-12-31", "2026-02-30"])
def test_day_that_is_none_is_explained(administrator: Client, day: str) -> None:
    assert "Enter a day" in text_of(administrator, f"/audit?since={day}", 422)
    assert administrator.get(f"/audit/export?until={day}", follow=True).status_code == 422


def test_check_finds_a_changed_entry(administrator: Client) -> None:
    def check() -> str:
        response: Any = administrator.post("/audit/check", follow=True)
        return " ".join(response.content.decode().split())

    assert "entries is complete, and its end is sealed." in check()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE visibility_auditentry SET object = 'other' WHERE object = 'wms-7'")
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert "The audit log was changed" in check()


def test_only_administrators_read_the_log() -> None:
    client = signed_in(UserRole.OPERATIONS)
    assert client.get("/audit").status_code == 403
    assert client.get("/audit/export").status_code == 403
    assert client.post("/audit/check").status_code == 403
