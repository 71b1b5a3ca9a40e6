"""Two people change the same form: nothing is overwritten silently, and both versions are shown."""

from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from tests.builders.sla_rules import always_open, create_rule
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.models import MailServer, Organization, SlaRule, Source, Subscription, WorkCalendar
from visibility.screens.sources.settings_form import NEW_SECRET
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
Attributes = list[tuple[str, str | None]]


class FormReader(HTMLParser):
    """Reads what a browser would send from the form with this id."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id, self.values, self.action = form_id, dict[str, Any](), ""
        self._is_inside, self._select, self._textarea = False, "", ""
        # Whether the text of an option without a value is the value of the select.
        self._is_chosen = False

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        given = {name: text or "" for name, text in attrs}
        if tag == "form":
            self._is_inside = given.get("id") == self.form_id
            self.action = given.get("action", "") if self._is_inside else self.action
        elif self._is_inside and tag == "input" and given.get("name"):
            is_box = given.get("type") in {"checkbox", "radio"}
            if not is_box or "checked" in given:
                self._add(given["name"], given.get("value", "on" if is_box else ""))
        elif self._is_inside and tag == "select":
            self._select = given["name"]
        elif self._select and tag == "option":
            self._is_chosen = "selected" in given or self._select not in self.values
            if self._is_chosen:
                self.values[self._select] = given.get("value", "")
            self._is_chosen = self._is_chosen and "value" not in given
        elif self._is_inside and tag == "textarea":
            self._textarea = given["name"]
            self.values[self._textarea] = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.values[self._textarea] += data
        if self._select and self._is_chosen and data.strip():
            self.values[self._select], self._is_chosen = data.strip(), False

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def _add(self, name: str, text: str) -> None:
        if name in {"severities", "rule"}:
            self.values.setdefault(name, []).append(text)
        else:
            self.values[name] = text


@dataclass(frozen=True)
class Form:
    """A form of a page. `field`: the input that both change. `stored` reads its value."""

    create: Callable[[], str]
    form_id: str
    field: str
    mine: str
    changed: str
    invalid: str
    stored: Callable[[], str]
    role: UserRole = UserRole.ADMIN


def source_page() -> str:
    create_source(connector="shiphero", config={"zone": "UTC"})
    return "/sources/wms?tab=settings"


def rule_page() -> str:
    return f"/rules/{create_rule(always_open(), title='Released orders ship').code}"


def calendar_page() -> str:
    return f"/calendars/{always_open().code}"


def subscription_page() -> str:
    row = Subscription.objects.create(
        user=user_of_role(UserRole.ADMIN, "ada"), channel_settings={"address": "old@example.com"}
    )
    return f"/subscriptions/{row.pk}"


def organization_page() -> str:
    signed_in(UserRole.ADMIN, "ada").post(
        "/organization",
        {
            "name": "Acme",
            "time_zone": "UTC",
            "currency": "USD",
            "week_start": "monday",
            "fiscal_year_start": "1",
        },
    )
    return "/organization"


def mail_server_page() -> str:
    signed_in(UserRole.ADMIN, "ada").post(
        "/mail-server",
        {
            "host": "old.example.com",
            "port": "587",
            "security": "starttls",
            "username": "",
            "sender": "ops@example.com",
            "password": "",
        },
    )
    return "/mail-server"


FORMS = {
    "organization": Form(
        organization_page,
        "organization-form",
        "name",
        "My name",
        "Their name",
        " ",
        lambda: Organization.objects.get().name,
    ),
    "mail server": Form(
        mail_server_page,
        "mail-server-form",
        "host",
        "mine.example.com",
        "theirs.example.com",
        " ",
        lambda: MailServer.objects.get().host,
    ),
    "source": Form(
        source_page,
        "properties-form",
        "title",
        "My title",
        "Their title",
        " ",
        lambda: Source.objects.get().title,
    ),
    "source settings": Form(
        source_page,
        "settings-form",
        "zone",
        "America/Chicago",
        "Europe/Berlin",
        "Texas",
        lambda: str(Source.objects.get().config["zone"]),
    ),
    "rule": Form(
        rule_page,
        "rule-form",
        "title",
        "My title",
        "Their title",
        " ",
        lambda: SlaRule.objects.get(kind="stuck_in_released").title,
    ),
    "calendar": Form(
        calendar_page,
        "calendar-form",
        "title",
        "My title",
        "Their title",
        " ",
        lambda: WorkCalendar.objects.get().title,
    ),
    "subscription": Form(
        subscription_page,
        "subscription-form",
        "setting.address",
        "mine@example.com",
        "theirs@example.com",
        "nonsense",
        lambda: str(Subscription.objects.get().channel_settings["address"]),
    ),
}


def read(response: Any, form: Form) -> FormReader:
    reader = FormReader(form.form_id)
    reader.feed(response.content.decode())
    assert form.field in reader.values, sorted(reader.values)
    return reader


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize("name", FORMS)
def test_both_versions_are_shown_and_the_chosen_one_is_saved(name: str) -> None:
    form = FORMS[name]
    url = form.create()
    me, other = signed_in(form.role, "me"), signed_in(form.role, "olga")
    mine, others = read(me.get(url), form), read(other.get(url), form)
    saved = other.post(others.action, others.values | {form.field: form.changed})
    assert (saved.status_code, form.stored()) == (302, form.changed)
    refused = me.post(mine.action, mine.values | {form.field: form.mine})
    assert (refused.status_code, form.stored()) == (409, form.changed)
    page = text(refused)
    assert "Not saved: olga changed this" in page
    assert f"<td>{form.mine}</td><td>{form.changed}</td>" in page
    assert f'form="{form.form_id}"' in page
    assert "Take theirs</a>" in page
    # Keep mine: the form of this page is sent as it is.
    resent = read(refused, form)
    assert resent.values[form.field] == form.mine
    assert me.post(resent.action, resent.values).status_code == 302
    assert form.stored() == form.mine


@pytest.mark.parametrize("name", FORMS)
def test_an_error_in_between_does_not_hide_what_others_saved(name: str) -> None:
    form = FORMS[name]
    url = form.create()
    me, other = signed_in(form.role, "me"), signed_in(form.role, "olga")
    mine, others = read(me.get(url), form), read(other.get(url), form)
    invalid = me.post(mine.action, mine.values | {form.field: form.invalid})
    assert invalid.status_code in {400, 422}
    corrected = read(invalid, form)
    other.post(others.action, others.values | {form.field: form.changed})
    refused = me.post(corrected.action, corrected.values | {form.field: form.mine})
    assert (refused.status_code, form.stored()) == (409, form.changed)


@pytest.mark.parametrize("name", FORMS)
def test_an_error_after_a_change_by_others_does_not_hide_it(name: str) -> None:
    form = FORMS[name]
    url = form.create()
    me, other = signed_in(form.role, "me"), signed_in(form.role, "olga")
    mine, others = read(me.get(url), form), read(other.get(url), form)
    other.post(others.action, others.values | {form.field: form.changed})
    answer = me.post(mine.action, mine.values | {form.field: form.invalid})
    if answer.status_code != 409:  # the error is shown first, then what others saved
        corrected = read(answer, form)
        answer = me.post(corrected.action, corrected.values | {form.field: form.mine})
    assert (answer.status_code, form.stored()) == (409, form.changed)
    assert "olga changed this" in text(answer)


@pytest.mark.parametrize("name", FORMS)
def test_without_a_change_by_others_the_form_is_saved(name: str) -> None:
    form = FORMS[name]
    url = form.create()
    me: Client = signed_in(form.role, "me")
    mine = read(me.get(url), form)
    assert me.post(mine.action, mine.values | {form.field: form.mine}).status_code == 302
    assert form.stored() == form.mine


def test_a_secret_that_was_entered_is_not_shown_and_the_page_says_so() -> None:
    form = FORMS["source settings"]
    url = form.create()
    me, other = signed_in(form.role, "me"), signed_in(form.role, "olga")
    mine, others = read(me.get(url), form), read(other.get(url), form)
    other.post(others.action, others.values | {form.field: form.changed})
    secret = "a-new-secret-of-24-bytes-or-more"
    answer = me.post(mine.action, mine.values | {form.field: form.mine, NEW_SECRET: secret})
    assert answer.status_code == 409
    assert "enter it again before you keep your values" in text(answer)
    assert secret not in text(answer)
