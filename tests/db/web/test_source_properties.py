"""The title, the poll interval and the switch of a source, over the form and the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.db.database_time import database_now
from visibility.models import AuditEntry, Change, Source
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
FORM = "/sources/erp/properties"
API = "/api/v1/sources/erp"
HOUR = timedelta(hours=1)


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


@pytest.fixture
def erp() -> Source:
    return create_source(
        "erp",
        title="ERP",
        connector="business_central",
        role="erp",
        next_poll_at=database_now() + HOUR,
    )


def patch(client: Client, **members: Any) -> Any:
    return client.patch(API, members, "application/json")


def values(source: Source) -> tuple[str, timedelta, bool]:
    source.refresh_from_db()
    return source.title, source.poll_every, source.enabled


def test_the_form_changes_all_three_and_says_who_did_it(integrator: Client, erp: Source) -> None:
    page = integrator.get("/sources/erp?tab=settings").content.decode()
    assert 'name="title" value="ERP"' in page
    assert 'name="poll_seconds" value="60"' in page
    before = database_now()
    answer = integrator.post(FORM, {"title": " Sales  ERP ", "poll_seconds": "300"})
    assert (answer.status_code, answer.headers["location"]) == (302, "/sources/erp?tab=settings")
    assert values(erp) == ("Sales ERP", timedelta(minutes=5), False)
    assert erp.next_poll_at is not None
    assert before < erp.next_poll_at < before + timedelta(minutes=6)
    entry = AuditEntry.objects.get(action="source.changed")
    assert entry.object == "erp"
    assert entry.user is not None
    assert entry.user.username == "ines"
    assert entry.detail == {
        "before": {"title": "ERP", "poll_seconds": 60, "enabled": True},
        "after": {"title": "Sales ERP", "poll_seconds": 300, "enabled": False},
    }
    assert Change.objects.filter(kind="source", ids=[erp.pk]).count() == 1
    integrator.post(FORM, {"title": "Sales ERP", "poll_seconds": "300"})
    assert AuditEntry.objects.count() == 1


def test_invalid_values_are_shown_at_their_field_and_nothing_is_saved(
    integrator: Client, erp: Source
) -> None:
    posted = {"title": "<b>", "poll_seconds": "0", "enabled": "yes"}
    answer = integrator.post(FORM, posted)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Enter a number of seconds from 1 to 2,592,000." in page
    assert 'value="&lt;b&gt;"' in page
    assert page.count('aria-invalid="true"') == 1
    assert values(erp) == ("ERP", timedelta(minutes=1), True)
    for text in ("", "1.5", "2592001", "x", "9" * 30):
        assert integrator.post(FORM, {"title": "T", "poll_seconds": text}).status_code == 422
    for title in ("", " ", "t" * 121):
        assert integrator.post(FORM, {"title": title, "poll_seconds": "60"}).status_code == 422
    assert not AuditEntry.objects.exists()


def test_a_source_that_is_not_polled_has_no_interval(integrator: Client) -> None:
    source = create_source("erp", title="ERP")
    assert "poll_seconds" not in integrator.get("/sources/erp?tab=settings").content.decode()
    assert integrator.post(FORM, {"title": "New", "enabled": "yes"}).status_code == 302
    assert values(source) == ("New", timedelta(minutes=1), True)
    assert source.next_poll_at is None


def test_a_source_is_polled_at_once_after_it_is_enabled(integrator: Client, erp: Source) -> None:
    Source.objects.update(enabled=False)
    assert patch(integrator, enabled=True).status_code == 200
    assert values(erp)[2]
    assert erp.next_poll_at is not None
    assert erp.next_poll_at <= database_now()


def test_a_throttled_source_still_waits_as_asked(integrator: Client, erp: Source) -> None:
    until = database_now() + HOUR
    Source.objects.update(throttled_until=until, next_poll_at=until)
    assert patch(integrator, poll_seconds=5).status_code == 200
    erp.refresh_from_db()
    assert (erp.poll_every, erp.next_poll_at) == (timedelta(seconds=5), until)


def test_the_api_reads_and_changes_members_and_leaves_others(
    integrator: Client, erp: Source
) -> None:
    Source.objects.update(poll_every=timedelta(seconds=2.5))
    assert integrator.get(API).json() == {
        "slug": "erp",
        "title": "ERP",
        "poll_seconds": 2,
        "enabled": True,
        "owner": "",
    }
    answer = patch(integrator, enabled=False)
    assert (answer.status_code, answer.json()["enabled"]) == (200, False)
    assert values(erp) == ("ERP", timedelta(seconds=2.5), False)
    answer = patch(integrator, title="", poll_seconds=-1)
    assert answer.status_code == 400
    paths = {error["path"] for error in answer.json()["errors"]}
    assert "title" in paths
    for members in ({"slug": "x"}, {"enabled": "maybe"}, {"poll_seconds": None}):
        assert patch(integrator, **members).status_code == 400
    assert values(erp) == ("ERP", timedelta(seconds=2.5), False)
    assert integrator.get("/api/v1/sources/nothing").status_code == 404
    assert patch(signed_in(UserRole.OPERATIONS), enabled=True).status_code == 403


def test_the_form_needs_permission_and_a_csrf_token(erp: Source) -> None:
    posted = {"title": "Other", "poll_seconds": "60", "enabled": "yes"}
    assert signed_in(UserRole.OPERATIONS).post(FORM, posted).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user_of_role(UserRole.ADMIN))
    assert strict.post(FORM, posted).status_code == 403
    assert strict.patch(API, {"title": "Other"}, "application/json").status_code == 403
    page = strict.get("/sources/erp?tab=settings").content.decode()
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    assert values(erp)[0] == "ERP"
    assert strict.post(FORM, {**posted, "csrfmiddlewaretoken": token}).status_code == 302
    assert values(erp)[0] == "Other"
