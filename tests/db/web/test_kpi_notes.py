"""Notes on KPI charts: on the page and over the API, with audit entries."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import signed_in, user_of_role
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.models import AuditEntry, KpiNote
from visibility.web.permissions import UserRole

pytestmark = [pytest.mark.django_db, pytest.mark.calendar]
EX, OP, AD, IN = (
    UserRole.EXECUTIVE,
    UserRole.OPERATIONS,
    UserRole.ADMIN,
    UserRole.INTEGRATOR,
)
PAGE = "/numbers/fill_rate"


def day(days_ago: int) -> str:
    today: date = in_zone(database_now(), settings.TIME_ZONE).date()
    return (today - timedelta(days=days_ago)).isoformat()


@pytest.fixture(autouse=True)
def facts() -> None:
    for days_ago in range(28):
        create_fact(3, 4, day=date.fromisoformat(day(days_ago)))
        create_fact(86_400, 1, kpi="order_cycle_time", day=date.fromisoformat(day(days_ago)))
    recompute_cells()


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def add(client: Client, **fields: str) -> Any:
    values = {"start": day(10), "end": day(10), "text": "WMS go-live"} | fields
    return client.post(f"{PAGE}/notes?channel=Web", values, follow=True)


def actions() -> list[str]:
    entries = AuditEntry.objects.filter(action__startswith="kpi_note").order_by("id")
    return list(entries.values_list("action", flat=True))


def test_note_is_shown_in_the_chart_its_table_and_the_list_with_its_author() -> None:
    lead = signed_in(OP)
    answer = add(lead, text="  <b>WMS</b>\n go-live ", end=day(8))
    assert answer.redirect_chain == [(f"{PAGE}?channel=Web#notes", 302)]
    for page in (text(lead, PAGE), text(signed_in(EX), PAGE)):
        chart = page.split('id="chart-fill_rate-by-period"')[1].split("</figure>")[0]
        table = chart.split("<tbody>")[1].split("</tbody>")[0]
        assert "1: &lt;b&gt;WMS&lt;/b&gt; go-live" in table
        assert '"y domain"' in chart
        listed = page.split('id="notes"')[1].split("</section>")[0]
        assert "&lt;b&gt;WMS&lt;/b&gt; go-live" in listed
        assert "operations" in listed
        assert "<b>WMS" not in page
    entry = AuditEntry.objects.get(action="kpi_note.added")
    assert entry.user == user_of_role(OP)
    assert entry.detail == {
        "kpi": "fill_rate",
        "start": day(10),
        "end": day(8),
        "text": "<b>WMS</b> go-live",
    }


def test_scope_is_one_kpi_or_all() -> None:
    lead = signed_in(OP)
    add(lead)
    assert "WMS go-live" not in text(lead, "/numbers/order_cycle_time")
    add(lead, text="Holiday", scope="all")
    assert "Holiday" in text(lead, "/numbers/order_cycle_time")
    overview = text(lead, "/numbers")
    fill, cycle = (
        overview.split(f'id="chart-{code}-by-period"')[1].split("</figure>")[0]
        for code in ("fill_rate", "order_cycle_time")
    )
    assert ("WMS go-live" in fill, "Holiday" in fill) == (True, True)
    assert ("WMS go-live" in cycle, "Holiday" in cycle) == (False, True)


def test_note_outside_the_range_is_not_shown() -> None:
    lead = signed_in(OP)
    add(lead, start=day(40), end=day(40))
    assert "WMS go-live" not in text(lead, PAGE)
    assert "WMS go-live" in text(lead, f"{PAGE}?from=now-90d")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"text": "  "}, "Enter a note."),
        ({"text": "x" * 501}, "A note can have at most 500 characters."),
        ({"start": "soon"}, "Enter a date, such as 2026-03-04."),
        ({"start": "1066-10-14"}, "Enter a date from 2000 to 2200."),
        ({"start": "2026-03-05", "end": "2026-03-04"}, "The last day is before the first day."),
    ],
)
def test_invalid_note_keeps_what_was_entered(fields: dict[str, str], sentence: str) -> None:
    values = {"start": day(10), "end": day(10), "text": "Keep me", "scope": "all"} | fields
    answer = signed_in(OP).post(f"{PAGE}/notes?channel=Web", values)
    page = " ".join(answer.content.decode().split())
    assert answer.status_code == 400
    assert 'class="field-error" id="note-' in page
    assert sentence in page
    form = page.split('id="note-new"')[1]
    assert " open>" in form[:60]
    for name in ("start", "end"):
        assert f'name="{name}" value="{values[name]}"' in form
    assert f">{values['text']}</textarea>" in form or not values["text"].strip()
    assert "checked" in form
    assert not KpiNote.objects.exists()


def test_author_and_administrator_change_and_remove_a_note() -> None:
    lead, other, admin = signed_in(OP), signed_in(EX), signed_in(AD)
    add(lead)
    note = KpiNote.objects.get()
    address = f"{PAGE}/notes/{note.pk}"
    values = {"start": day(9), "end": day(9), "text": "Second"}
    assert f'action="{address}?' in text(lead, PAGE)
    assert f'action="{address}?' not in text(other, PAGE)
    refused: Any = other.post(address, values, follow=True)
    assert "Only its author or an administrator can change it." in refused.content.decode()
    other.post(f"{address}/remove")
    assert KpiNote.objects.get().text == "WMS go-live"
    lead.post(address, values | {"version": "1"})
    note.refresh_from_db()
    assert (note.text, note.start.isoformat(), note.version) == ("Second", day(9), 2)
    admin.post(f"{address}/remove")
    assert not KpiNote.objects.exists()
    assert actions() == ["kpi_note.added", "kpi_note.changed", "kpi_note.removed"]
    assert AuditEntry.objects.get(action="kpi_note.removed").detail["text"] == "Second"


def test_change_of_someone_else_is_not_overwritten_unseen() -> None:
    lead, admin = signed_in(OP), signed_in(AD)
    add(lead)
    address = f"{PAGE}/notes/{KpiNote.objects.get().pk}"
    values = {"start": day(9), "end": day(9), "version": "1"}
    admin.post(address, values | {"text": "Theirs"})
    answer = lead.post(address, values | {"text": "Mine"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert ">Mine</textarea>" in page
    assert "Theirs" in page
    assert KpiNote.objects.get().text == "Theirs"
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    lead.post(address, values | {"text": "Mine", "version": version[1]})
    assert KpiNote.objects.get().text == "Mine"


def test_notes_need_the_permission_and_the_csrf_token() -> None:
    values = {"start": day(1), "text": "x"}
    assert signed_in(IN).post(f"{PAGE}/notes", values).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user_of_role(OP))
    assert strict.post(f"{PAGE}/notes", values).status_code == 403
    assert signed_in(OP).post("/numbers/nothing/notes", values).status_code == 404
    assert signed_in(OP).post(f"{PAGE}/notes/999", values).status_code == 404
    assert not KpiNote.objects.exists()


def test_api_does_the_same_and_is_idempotent() -> None:
    lead, other = signed_in(OP), signed_in(EX)
    body = {"kpi": "fill_rate", "start": day(10), "text": "Strike"}
    for _ in range(2):
        key = {"Idempotency-Key": "1"}
        added: Any = lead.post("/api/v1/kpi-notes", body, "application/json", headers=key)
        assert added.status_code == 201
    note = added.json()
    assert (note["end"], note["author"]["name"], note["version"]) == (day(10), "operations", 1)
    assert KpiNote.objects.count() == 1
    assert "Strike" in text(other, PAGE)
    address = f"/api/v1/kpi-notes/{note['id']}"
    assert other.patch(address, {"text": "No"}, "application/json").status_code == 403
    assert other.delete(address, {}, "application/json").status_code == 403
    changed: Any = lead.patch(address, {"kpi": "", "version": 1}, "application/json")
    assert (changed.json()["kpi"], changed.json()["version"]) == ("", 2)
    stale = lead.patch(address, {"text": "Late", "version": 1}, "application/json")
    assert stale.status_code == 409
    for parameters, count in (
        ({"kpi": "fill_rate"}, 1),
        ({"kpi": "on_time"}, 1),
        ({"from": day(9)}, 0),
        ({"from": day(11), "to": day(10)}, 1),
    ):
        listed: Any = other.get("/api/v1/kpi-notes", parameters).json()
        assert len(listed["items"]) == count, parameters
    assert lead.delete(address, {}, "application/json").json()["text"] == "Strike"
    assert lead.get(address).status_code == 404
    assert actions() == ["kpi_note.added", "kpi_note.changed", "kpi_note.removed"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"start": "soon", "text": "x"}, "start"),
        ({"start": "2026-03-05", "end": "2026-03-04", "text": "x"}, "end"),
        ({"start": "2026-03-05", "text": "x", "kpi": "nothing"}, "kpi"),
        ({"start": "1066-10-14", "text": "x"}, "start"),
        ({"start": "2026-03-05", "text": " "}, "text"),
    ],
)
def test_api_names_the_invalid_field(body: dict[str, str], path: str) -> None:
    answer: Any = signed_in(OP).post("/api/v1/kpi-notes", body, "application/json")
    assert answer.status_code == 400
    assert path in {error["path"] for error in answer.json()["errors"]}
    assert not KpiNote.objects.exists()


def test_a_page_with_many_notes_shows_the_latest_fifty() -> None:
    lead = signed_in(OP)
    now = database_now()
    KpiNote.objects.bulk_create(
        KpiNote(
            start=day(1 + number % 20),
            end=day(1 + number % 20),
            text=f"Note {number}.",
            author=user_of_role(OP),
            created_at=now,
            changed_at=now,
        )
        for number in range(60)
    )
    assert len(set(re.findall(r"Note \d+\.", text(lead, PAGE)))) == 50
