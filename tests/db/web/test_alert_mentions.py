"""Mentions of colleagues in notes on alerts: by form, in bulk and over the API."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.builders.alerts import alert, source_alert
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.models import AlertMention
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
CS, EX, OP, IN = (
    UserRole.CUSTOMER_SERVICE,
    UserRole.EXECUTIVE,
    UserRole.OPERATIONS,
    UserRole.INTEGRATOR,
)


class NoteForm(Client):
    """A client that checks CSRF tokens, signed in; its forms have the token."""

    def __init__(self, user: User) -> None:
        super().__init__(enforce_csrf_checks=True)
        self.force_login(user)
        self.get("/alerts")

    def add_note(self, alert_id: int, note: str) -> str:
        form = {"note": note, "csrfmiddlewaretoken": self.cookies["csrftoken"].value}
        answer = self.post(f"/alerts/{alert_id}/note", form, follow=True)
        assert answer.status_code == 200
        return answer.content.decode()


def page_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_note_on_an_alert_is_shown_to_the_colleague_it_mentions() -> None:
    lead, clerk = signed_in(OP), NoteForm(user_of_role(CS))
    number = alert("SO-1").pk
    page = clerk.add_note(number, "@Operations <b>call</b> Nora, cc @nobody.here and @operations")
    assert "Note added. Mentioned: operations. No colleague has the username nobody.here." in page
    assert '<span class="chip-small">to operations</span>' in page
    assert AlertMention.objects.count() == 1
    mentions = page_of(lead, "/mentions")
    assert f'href="/alerts/{number}"' in mentions
    assert "&lt;b&gt;call&lt;/b&gt; Nora" in mentions
    assert "Nora" not in page_of(clerk, "/mentions")


def test_only_colleagues_who_may_note_and_see_the_alert_are_mentioned() -> None:
    for role in (EX, IN, OP):
        user_of_role(role)
    User.objects.create_user("gone", is_active=False).groups.set(user_of_role(OP).groups.all())
    clerk = NoteForm(user_of_role(CS))
    of_order, of_source = alert("SO-1").pk, source_alert(create_source("wms")).pk
    note = "@executive @integrator @gone @operations look"
    clerk.add_note(of_order, note)
    clerk.add_note(of_source, note)
    names = {
        number: set(
            AlertMention.objects.filter(entry__alert=number).values_list(
                "user__username", flat=True
            )
        )
        for number in (of_order, of_source)
    }
    assert names == {of_order: {"operations"}, of_source: {"operations", "integrator"}}
    mentions = page_of(signed_in(IN), "/mentions")
    assert f'href="/alerts/{of_source}"' in mentions
    assert f'href="/alerts/{of_order}"' not in mentions


def test_too_many_names_are_refused_and_nothing_is_stored() -> None:
    number = alert("SO-1").pk
    names = " ".join(f"@name{index}" for index in range(21))
    assert "at most 20 people" in NoteForm(user_of_role(CS)).add_note(number, names)
    assert not AlertMention.objects.exists()


def test_form_offers_colleagues_but_not_oneself() -> None:
    user_of_role(OP)
    page = page_of(signed_in(CS), f"/alerts/{alert('SO-1').pk}")
    assert 'data-mention="@operations "' in page
    assert 'data-mention="@customer_service "' not in page


def test_bulk_and_api_mention_too() -> None:
    lead, clerk = signed_in(OP), signed_in(CS)
    first, second, third = (alert(f"SO-{number}").pk for number in (1, 2, 3))
    form = {"act": "note", "ids": [first, second], "note_note": "@operations ?"}
    assert clerk.post("/alerts/bulk?view=open&by=one", form).status_code == 302
    body = {"note": "@operations and the API"}
    answer = clerk.post(f"/api/v1/alerts/{third}/note", body, "application/json")
    assert answer.status_code == 200
    listed: Any = lead.get("/api/v1/mentions/alerts").json()
    assert {each["alert"] for each in listed["items"]} == {first, second, third}
    assert listed["items"][0]["text"] == "@operations and the API"
    assert listed["items"][0]["mentions"] == ["operations"]
    assert clerk.get("/api/v1/mentions/alerts").json()["items"] == []
