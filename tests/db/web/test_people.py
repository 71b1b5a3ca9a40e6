"""People and teams: invitations, roles, deactivation, links, and who may do it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from tests.builders.alerts import alert
from tests.builders.live_client import LiveTestClient
from tests.builders.users import create_user, signed_in, user_of_role
from visibility.alerts.queue_notifications import queue_notifications_of_alert
from visibility.alerts.reconcile_alerts_with_clocks import NewAlertWithLogEntry, create_alerts
from visibility.db.database_time import database_now
from visibility.models import (
    Alert,
    AlertEntry,
    AuditEntry,
    IdempotencyKey,
    Notification,
    NotificationState,
    Subscription,
    Team,
    find_or_create_team,
)
from visibility.notify import outbox
from visibility.pipeline import job_functions
from visibility.pipeline.record_and_retention_jobs import send_account_mails
from visibility.web.author import Author
from visibility.web.live import hub as hubs
from visibility.web.people import accounts
from visibility.web.people.people_list import PersonState, load_person
from visibility.web.permissions import UserRole, roles

pytestmark = pytest.mark.django_db
AD, OP, CS = UserRole.ADMIN, UserRole.OPERATIONS, UserRole.CUSTOMER_SERVICE
NEW = "a much better passphrase"
INVITATION = {
    "username": "grace.hopper",
    "first_name": "Grace",
    "last_name": "Hopper",
    "email": "grace@example.com",
    "role": OP.value,
}
JSON = "application/json"


@pytest.fixture
def admin() -> Client:
    return signed_in(AD)


@pytest.fixture
def leaver() -> User:
    return create_user(OP, "lee", first_name="Lee", last_name="Moore", password=NEW)


def link_on(page: Any) -> str:
    match = re.search(r'value="http://testserver(/account/link/[^"]+)"', page.content.decode())
    assert match
    return match[1]


def audited(action: str) -> dict[str, Any]:
    detail: dict[str, Any] = AuditEntry.objects.get(action=action).detail
    return detail


def current(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_an_invited_person_sets_a_password_and_has_role_and_teams(admin: Client) -> None:
    find_or_create_team("Carrier desk")
    page = admin.post("/people/new", INVITATION | {"teams": ["carrier-desk"]})
    assert page["Cache-Control"] == "no-store"
    user = User.objects.get(username="grace.hopper")
    assert user.get_full_name() == "Grace Hopper"
    assert [team.slug for team in user.teams.all()] == ["carrier-desk"]
    assert not user.has_usable_password()
    invited = load_person(user.pk)
    assert invited
    assert invited.state == PersonState.INVITED
    guest = Client()
    answer = guest.post(link_on(page), {"new_password1": NEW, "new_password2": NEW})
    assert answer.status_code == 302
    assert guest.get("/alerts").status_code == 200
    assert guest.get("/people").status_code == 403
    assert audited("person.invited")["roles"] == ["operations"]


def test_the_invitation_is_also_sent_by_email_if_there_is_a_mail_server(
    admin: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_functions, "ask_worker_to_run_job_now", lambda _: None)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    page = admin.post("/people/new", INVITATION)
    assert "it was not sent by email" in page.content.decode()
    assert send_account_mails() == 0
    settings.HAS_MAIL_SERVER = True
    page = admin.post("/people/new", INVITATION | {"username": "grace2"})
    assert "being sent to grace@example.com" in page.content.decode()
    assert send_account_mails() == 1
    assert link_on(page) in str(mail.outbox[0].body)
    number = User.objects.get(username="grace2").pk
    assert "accepted by the mail server" in admin.get(f"/people/{number}").content.decode()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "two words"}, "username"),
        ({"username": "LEE"}, "username"),
        ({"first_name": " "}, "first-name"),
        ({"email": "nonsense"}, "email"),
        ({"role": "boss"}, "role"),
        ({"teams": ["no-such-team"]}, ""),
    ],
)
def test_invalid_invitations_are_explained_at_the_field(
    admin: Client, leaver: User, change: dict[str, Any], field: str
) -> None:
    find_or_create_team("Carrier desk")
    page = admin.post("/people/new", INVITATION | change)
    assert page.status_code == 422
    text = page.content.decode()
    assert f'id="{field}-error"' in text or (not field and "Choose teams from the list." in text)
    assert 'value="Hopper"' in text
    assert not User.objects.filter(first_name="Grace").exists()


@pytest.mark.parametrize("role", [role for role in UserRole if role != AD])
def test_only_administrators_see_and_change_people(role: UserRole, leaver: User) -> None:
    client = signed_in(role)
    for path in ("/people", "/people/new", f"/people/{leaver.pk}", "/teams"):
        assert client.get(path).status_code == 403
    for path in ("/people/new", f"/people/{leaver.pk}/deactivate", f"/people/{leaver.pk}/link"):
        assert client.post(path, INVITATION).status_code == 403
    assert current(leaver).is_active


def test_changes_need_a_csrf_token(leaver: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of_role(AD))
    assert client.post(f"/people/{leaver.pk}/deactivate").status_code == 403
    assert current(leaver).is_active


def test_a_new_role_replaces_the_old_one_at_once(admin: Client, leaver: User) -> None:
    person = Client()
    person.force_login(leaver)
    assert person.get("/rules").status_code == 200
    form = {"first_name": "Lee", "last_name": "Moore", "email": "", "role": CS.value}
    assert admin.post(f"/people/{leaver.pk}", form).status_code == 302
    assert roles(current(leaver)) == {CS}
    assert person.get("/rules").status_code == 403
    detail = audited("person.changed")
    assert (detail["before"], detail["after"]) == (
        {"roles": ["operations"]},
        {"roles": ["customer_service"]},
    )


def test_a_deactivated_person_is_signed_out_and_can_come_back(admin: Client, leaver: User) -> None:
    person = Client()
    person.force_login(leaver)
    link = link_on(admin.post(f"/people/{leaver.pk}/link"))
    assert admin.post(f"/people/{leaver.pk}/deactivate").status_code == 302
    assert person.get("/alerts").status_code == 302
    assert Client().get(link).status_code == 404
    assert Client().post("/signin", {"username": "lee", "password": NEW}).status_code == 200
    assert admin.post(f"/people/{leaver.pk}/link").status_code == 422
    assert admin.post(f"/people/{leaver.pk}/reactivate").status_code == 302
    # The old session does not come back with the account.
    assert person.get("/alerts").status_code == 302
    assert roles(current(leaver)) == {OP}
    assert Client().post("/signin", {"username": "lee", "password": NEW}).status_code == 302
    assert audited("person.deactivated")["sessions_ended"] == 1


def test_nothing_is_sent_to_a_deactivated_person_until_they_come_back(
    admin: Client, leaver: User
) -> None:
    subscription = Subscription.objects.create(user=leaver, address="lee@example.invalid")
    colleague = Subscription.objects.create(user=user_of_role(AD), address="ad@example.invalid")

    def open_alert(number: str) -> None:
        queue_notifications_of_alert(alert(number), "opened")

    def send() -> list[str]:
        mail.outbox.clear()
        Subscription.objects.update(last_sent_at=None)
        outbox.send_due_notifications(now=database_now() + timedelta(minutes=1))
        return [to for message in mail.outbox for to in message.to]

    open_alert("SO-1")
    admin.post(f"/people/{leaver.pk}/deactivate")
    open_alert("SO-2")
    assert send() == ["ad@example.invalid"]
    waiting = Notification.objects.filter(subscription=subscription)
    assert [row.state for row in waiting] == [NotificationState.CANCELLED]
    assert audited("person.deactivated")["notifications_cancelled"] == 1
    # One that was queued in the same moment is not sent either.
    late = Notification.objects.create(
        alert=alert("SO-3"), episode=1, transition="opened", subscription=subscription
    )
    assert send() == []
    tested = admin.post(f"/subscriptions/{subscription.pk}/test", follow=True).content.decode()
    assert "Its owner is deactivated" in tested
    assert not mail.outbox
    late.delete()
    admin.post(f"/people/{leaver.pk}/reactivate")
    open_alert("SO-4")
    assert send() == ["lee@example.invalid", "ad@example.invalid"]
    assert "SO-4" in mail.outbox[0].subject
    assert colleague.enabled


def test_sessions_of_earlier_releases_end_too(admin: Client, leaver: User) -> None:
    from allauth.usersessions.models import UserSession

    person = Client()
    person.force_login(leaver)
    UserSession.objects.all().delete()
    admin.post(f"/people/{leaver.pk}/end-sessions")
    assert person.get("/alerts").status_code == 302
    assert admin.get("/alerts").status_code == 200
    assert Session.objects.count() == 1


def _deactivate(user: User, admin: Client) -> None:
    admin.post(f"/people/{user.pk}/deactivate")


def _change_role(user: User, admin: Client) -> None:
    form = {"first_name": "Lee", "last_name": "Moore", "email": "", "role": CS.value}
    admin.post(f"/people/{user.pk}", form)


def _end_sessions(user: User, admin: Client) -> None:
    admin.post(f"/people/{user.pk}/end-sessions")


@pytest.mark.parametrize("change", [_deactivate, _change_role, _end_sessions])
def test_open_pages_of_a_person_are_closed_and_those_of_others_stay(
    change: Callable[[User, Client], None],
    admin: Client,
    leaver: User,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    assert hubs.AUTHORIZATION_SECONDS <= 3
    monkeypatch.setattr(hubs, "AUTHORIZATION_SECONDS", 0.05)
    monkeypatch.setattr(hubs, "HEARTBEAT_SECONDS", 0.3)
    hubs.hub_of_this_process.cache_clear()
    person = Client()
    person.force_login(leaver)

    async def run() -> None:
        page, other = LiveTestClient(person), LiveTestClient(admin)
        assert await page.connect()
        assert await other.connect()
        await sync_to_async(change)(leaver, admin)
        assert await page.close_code() == 4401
        assert (await other.receive())["type"] == "hello"
        assert (await other.receive())["type"] == "heartbeat"
        await other.disconnect()

    async_to_sync(run)()


def test_the_last_administrator_stays(admin: Client) -> None:
    me, second = user_of_role(AD), create_user(AD, "second")
    by = Author(second, database_now())
    accounts.deactivate_person(me.pk, by=by)
    # Two administrators who deactivate each other at the same time: the second one comes too late.
    by = Author(me, database_now())
    with pytest.raises(accounts.InvalidPerson, match="last active administrator"):
        accounts.deactivate_person(second.pk, by=by)
    with pytest.raises(accounts.InvalidPerson, match="last active administrator"):
        accounts.change_person(second.pk, accounts.PersonValues(role=CS), by=by)
    assert roles(current(second)) == {AD}


def test_a_superuser_counts_as_administrator_and_loses_that_with_the_role(admin: Client) -> None:
    root = User.objects.create_superuser("root", password=NEW, first_name="R", last_name="T")
    form = {"first_name": "R", "last_name": "T", "email": "", "role": CS.value}
    assert admin.post(f"/people/{root.pk}", form).status_code == 302
    assert roles(current(root)) == {CS}


def test_administrators_change_neither_their_own_role_nor_deactivate_themselves(
    admin: Client,
) -> None:
    create_user(AD, "second")
    me = user_of_role(AD)
    form = {"first_name": "Ada", "last_name": "L", "email": "", "role": CS.value}
    assert admin.post(f"/people/{me.pk}", form).status_code == 302
    assert current(me).first_name == "Ada"
    assert roles(current(me)) == {AD}
    assert admin.patch(f"/api/v1/people/{me.pk}", {"role": CS.value}, JSON).status_code == 400
    assert admin.post(f"/people/{me.pk}/deactivate").status_code == 422
    assert admin.post(f"/api/v1/people/{me.pk}/deactivate", {}, JSON).status_code == 409
    assert current(me).is_active


def test_a_link_of_an_administrator_replaces_the_one_before(admin: Client, leaver: User) -> None:
    first = link_on(admin.post(f"/people/{leaver.pk}/link"))
    second = link_on(admin.post(f"/people/{leaver.pk}/link"))
    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 200


def test_removing_second_factors_ends_the_sessions(admin: Client, leaver: User) -> None:
    Authenticator.objects.create(user=leaver, type="totp", data={"secret": "x"})
    person = Client()
    person.force_login(leaver)
    assert "Authenticator app" in admin.get("/people").content.decode()
    admin.post(f"/people/{leaver.pk}/remove-second-factors")
    assert not Authenticator.objects.filter(user=leaver).exists()
    assert person.get("/alerts").status_code == 302
    assert audited("person.second_factors_removed") == {"removed": ["totp"]}


def test_the_list_filters_counts_and_has_pages(
    admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    User.objects.bulk_create(
        User(username=f"p{n:03}", first_name="Pat", last_name=f"N{n}") for n in range(60)
    )
    page = admin.get("/people").content.decode()
    assert "61 accounts." in page
    assert page.count('class="row-link"') == 50
    following = re.search(r'href="(/people\?after=[^"]+)"', page)
    assert following
    assert admin.get(following[1]).content.decode().count('class="row-link"') == 11
    page = admin.get("/people?q=pat+n7&role=&state=active").content.decode()
    assert "1 account matches the filters." in page
    assert "1 account " in admin.get("/people?role=admin").content.decode()
    with django_assert_max_num_queries(12):
        admin.get("/people")


def test_people_over_the_api(admin: Client, leaver: User) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = admin.post("/api/v1/people", INVITATION, JSON, headers=headers)
    assert first.status_code == 201
    content = first.json()
    path = content["link"].partition("/account/")[2]
    assert Client().get(f"/account/{path}").status_code == 200
    repeated = admin.post("/api/v1/people", INVITATION, JSON, headers=headers).json()
    assert repeated == {name: value for name, value in content.items() if name != "link"}
    assert not [
        body
        for body in IdempotencyKey.objects.values_list("response_body", flat=True)
        if path in str(body)
    ]
    assert (content["state"], content["roles"]) == ("invited", ["operations"])
    listed = admin.get("/api/v1/people?q=grace&role=operations&state=active").json()["items"]
    assert [row["username"] for row in listed] == ["grace.hopper"]
    find_or_create_team("Carrier desk")
    change = {"role": "customer_service", "teams": ["carrier-desk"]}
    changed = admin.patch(f"/api/v1/people/{leaver.pk}", change, JSON).json()
    assert (changed["roles"], changed["teams"]) == (["customer_service"], ["carrier-desk"])
    deactivated = admin.post(f"/api/v1/people/{leaver.pk}/deactivate", {}, JSON).json()
    assert deactivated["state"] == "deactivated"
    assert admin.post(f"/api/v1/people/{leaver.pk}/link", {}, JSON).status_code == 409
    bad = admin.post("/api/v1/people", INVITATION | {"email": "x"}, JSON)
    assert {error["path"] for error in bad.json()["errors"]} == {"username", "email"}
    assert admin.get("/api/v1/people/999999").status_code == 404


def test_teams_have_members_and_a_default_owner(admin: Client, leaver: User) -> None:
    assert admin.post("/teams", {"title": "Carrier desk"})["Location"] == "/teams/carrier-desk"
    assert admin.post("/teams", {"title": "carrier DESK"}).status_code == 422
    address = "/teams/carrier-desk"
    page = admin.post(address, {"members": [], "default_owner": leaver.pk})
    assert page.status_code == 422
    assert "must be an active member" in page.content.decode()
    form = {"members": [leaver.pk], "default_owner": leaver.pk}
    assert admin.post(address, form).status_code == 302
    team = Team.objects.get()
    assert (list(team.members.all()), team.default_owner) == ([leaver], leaver)
    assert audited("team.changed")["after"] == {"members": ["lee"], "default_owner": "lee"}
    # Without the team, the person is not its default owner.
    accounts.change_person(
        leaver.pk,
        accounts.PersonValues(teams=()),
        by=Author(user_of_role(AD), database_now()),
    )
    assert Team.objects.get().default_owner is None


def test_teams_over_the_api(admin: Client, leaver: User) -> None:
    created = admin.post("/api/v1/teams", {"title": "Carrier desk"}, JSON)
    assert created.status_code == 201
    address = "/api/v1/teams/carrier-desk"
    change = {"members": [leaver.pk], "default_owner": leaver.pk}
    assert admin.patch(address, change, JSON).json()["default_owner"]["name"] == "lee"
    assert admin.patch(address, {"members": []}, JSON).status_code == 400
    assert admin.patch(address, {"default_owner": None}, JSON).json()["default_owner"] is None
    assert [row["slug"] for row in admin.get("/api/v1/teams").json()["items"]] == ["carrier-desk"]


@pytest.mark.parametrize("is_active", [True, False])
def test_new_alerts_of_a_team_belong_to_its_default_owner(leaver: User, is_active: bool) -> None:
    team = find_or_create_team("Carrier desk")
    assert team
    team.default_owner = leaver
    team.save()
    User.objects.filter(pk=leaver.pk).update(is_active=is_active)
    old = alert("SO-1")
    now = database_now()
    new = Alert(
        rule=old.rule,
        subject_kind="order",
        subject_key="new",
        order_id=old.order_id,
        severity=old.severity,
        title="Late",
        owner_team=team,
        started_at=now,
        due_at=now,
        opened_at=now,
    )
    create_alerts([NewAlertWithLogEntry(new, "opened", "Late.")], now)
    stored = Alert.objects.get(pk=new.pk)
    assert stored.owner == (leaver if is_active else None)
    text = AlertEntry.objects.get(alert=stored).text
    assert ("Assigned to lee, the default owner of Carrier desk." in text) == is_active


def test_team_that_somebody_else_changed_is_refused_with_its_version() -> None:
    admin = signed_in(UserRole.ADMIN)
    team = find_or_create_team("Carrier desk")
    assert team is not None
    first, second = (create_user(UserRole.OPERATIONS, name) for name in ("fay", "sam"))
    address = f"/api/v1/teams/{team.slug}"
    version = admin.get(address).json()["version"]
    assert admin.get("/api/v1/teams").json()["items"][0]["version"] == version
    changed = admin.patch(address, {"members": [first.pk], "version": version}, JSON)
    assert changed.status_code == 200
    assert changed.json()["version"] != version
    refused = admin.patch(address, {"members": [second.pk], "version": version}, JSON)
    assert refused.status_code == 409
    assert list(team.members.all()) == [first]
    newer = {"members": [second.pk], "version": changed.json()["version"]}
    assert admin.patch(address, newer, JSON).status_code == 200
    assert list(team.members.all()) == [second]
