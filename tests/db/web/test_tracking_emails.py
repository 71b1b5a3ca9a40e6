"""Email updates of the tracking page: confirmed first, sent when the headline changes, ended."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.cloudevents import cloudevent
from tests.builders.forms import FormReader
from tests.builders.sources import cloudevent_message
from tests.db.web.test_tracking import create_link, in_hours, ordered, store_orders
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import store_messages
from visibility.logging_config import redact_secrets
from visibility.models import Order, Source, TrackingLink, TrackingSubscriber
from visibility.notify.channel import DeliveryFailed
from visibility.pipeline import job_functions
from visibility.screens.tracking import email_updates
from visibility.web.pages import tracking, tracking_emails
from visibility.web.request_limit import RequestLimit

pytestmark = pytest.mark.django_db
ADDRESS = "ada@example.com"


@pytest.fixture(autouse=True)
def jobs(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[str]:
    """The jobs that were asked for; mail is set up, and limits are those of one minute."""
    asked: list[str] = []
    monkeypatch.setattr(tracking_emails, "ask_worker_to_run_job_now", asked.append)
    for module, name, limit in (
        (tracking, "failed_requests_per_address", 30),
        (tracking, "requests_per_link", 60),
        (tracking_emails, "requests_per_link", 5),
        (tracking_emails, "requests_per_address", 10),
    ):
        monkeypatch.setattr(module, name, RequestLimit(limit, clock=lambda: 0.0))
    settings.HAS_MAIL_SERVER = True
    settings.PUBLIC_URL = "https://tracking.example.com"
    return asked


@pytest.fixture
def path() -> str:
    store_orders(("erp", "order.received", -48, ordered("SO-1", promised_at=in_hours(100))))
    return create_link(Order.objects.get(number="SO-1"))


def ask(path: str, address: str = ADDRESS, **values: str) -> Any:
    """Send the form of the page as a browser does that checks for forged forms."""
    client = Client(enforce_csrf_checks=True)
    reader = FormReader("email-form")
    reader.feed(client.get(path).content.decode())
    return client.post(reader.action, reader.values | {"address": address} | values)


def send(minutes: int = 0) -> list[Any]:
    """Run the job, so many minutes from now; the emails that it sent."""
    before = len(mail.outbox)
    email_updates.send_tracking_mails(database_now() + timedelta(minutes=minutes))
    return mail.outbox[before:]


def link_in(message: Any, action: str) -> str:
    [key] = re.findall(rf"https://tracking.example.com(/track/email/{action}/\S+)", message.body)
    return str(key)


def post(path: str) -> Any:
    return Client(enforce_csrf_checks=True).post(path)


def subscribe(path: str) -> Any:
    """Ask and confirm; the email with the confirmation."""
    assert ask(path).status_code == 200
    [message] = send()
    assert post(link_in(message, "confirm")).status_code == 200
    return message


def cancel_order() -> None:
    """What changes the headline."""
    at, order = database_now().isoformat(), {"order": {"number": "SO-1"}}
    event = cloudevent("order.cancelled", order, event_id="more", at=at, source="erp")
    store_messages([cloudevent_message(Source.objects.get(slug="erp"), event)])
    job_functions.process_messages_and_refold()


def test_address_is_confirmed_before_anything_else_is_sent(path: str, jobs: list[str]) -> None:
    answer = ask(path)
    assert "Check your email" in answer.content.decode()
    assert not answer.cookies
    assert jobs == ["send_tracking_mails"]
    [request] = send()
    assert request.to == [ADDRESS]
    assert "SO-1" not in request.body + request.subject
    assert "PO-7" not in request.body + request.subject
    cancel_order()
    assert send(60) == []
    confirm = link_in(request, "confirm")
    # Opening the link confirms nothing: programs open links in emails.
    assert "<button" in Client().get(confirm).content.decode()
    assert TrackingSubscriber.objects.get().confirmed_at is None
    confirmed = post(confirm)
    assert (confirmed.status_code, confirmed.cookies) == (200, {})
    assert TrackingSubscriber.objects.get().confirmed_at is not None
    # It works once.
    assert post(confirm).status_code == Client().get(confirm).status_code == 404
    assert send(60) == []


def test_changed_headline_is_sent_once_and_says_what_the_page_says(path: str) -> None:
    subscribe(path)
    assert send(60) == []
    cancel_order()
    [update] = send(71)
    page = Client().get(path).content.decode()
    headline = re.findall(r'class="track-headline">(.*?)<', page)[0]
    assert update.body.startswith(f"PO PO-7: {headline}\n")
    assert update.subject.startswith(f"PO PO-7: {headline}")
    assert f"https://tracking.example.com{path}" in update.body
    assert "981" not in update.body
    assert send(140) == []
    assert TrackingSubscriber.objects.get().sent_at is not None


def test_everybody_unsubscribes_with_one_click(path: str) -> None:
    request = subscribe(path)
    cancel_order()
    [update] = send(61)
    stop = link_in(update, "stop")
    assert update.extra_headers["List-Unsubscribe"] == f"<https://tracking.example.com{stop}>"
    assert update.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert Client().get(stop).status_code == 200
    assert TrackingSubscriber.objects.exists()
    assert post(stop).status_code == 200
    assert not TrackingSubscriber.objects.exists()
    assert post(stop).status_code == post(link_in(request, "stop")).status_code == 404


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_updates_end_with_the_link(path: str, end: str) -> None:
    request = subscribe(path)
    now = database_now()
    ended = {"revoked_at": now} if end == "revoked" else {"expires_at": now}
    TrackingLink.objects.update(**ended)
    cancel_order()
    assert send(61) == []
    assert not TrackingSubscriber.objects.exists()
    assert post(link_in(request, "stop")).status_code == 404


def test_answer_does_not_tell_who_is_subscribed(path: str) -> None:
    first = ask(path).content
    assert ask(path).content == first
    [request] = send()
    post(link_in(request, "confirm"))
    assert ask(path, ADDRESS.upper()).content == first
    assert send() == []
    for number in range(email_updates.MAX_SUBSCRIBERS):
        link = TrackingLink.objects.get()
        email_updates.request_updates(link, f"a{number}@example.com", database_now())
    assert TrackingSubscriber.objects.count() == email_updates.MAX_SUBSCRIBERS
    assert ask(path, "one-more@example.com").content == first


def test_the_same_address_is_asked_three_times_at_most(path: str) -> None:
    now = database_now()
    ask(path)
    link = TrackingLink.objects.get()
    counts = []
    for minutes in (1, 20, 25, 40, 60, 80):
        email_updates.request_updates(link, ADDRESS, now + timedelta(minutes=minutes))
        counts.append(len(send(minutes)))
    # The first one waited until minute 1.
    assert counts == [1, 1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("form", "status"),
    [("", 403), ("1.abc", 403), ("9" * 60, 403), ("²." + "a" * 40, 403)],
)
def test_form_needs_the_token_of_its_page(path: str, form: str, status: int) -> None:
    assert ask(path, form=form).status_code == status
    assert not TrackingSubscriber.objects.exists()


def test_token_of_another_link_or_of_yesterday_is_refused(path: str, now: datetime) -> None:
    link = TrackingLink.objects.get()
    other = TrackingLink.objects.get(name=create_link(Order.objects.get(number="SO-1"))[7:23])
    token = email_updates.form_token(link, now)
    assert email_updates.is_form_token(token, link, now + timedelta(hours=11))
    assert not email_updates.is_form_token(token, link, now + timedelta(hours=13))
    assert not email_updates.is_form_token(token, other, now)


@pytest.mark.parametrize("address", ["", "ada", "a@b", "a@example.com, b@example.com", "x\n@y.zz"])
def test_what_is_no_address_is_refused_where_it_is_entered(path: str, address: str) -> None:
    answer = ask(path, address)
    assert answer.status_code == 422
    assert "Enter an email address, such as ada@example.com." in answer.content.decode()
    assert not TrackingSubscriber.objects.exists()


def test_requests_are_limited(path: str) -> None:
    statuses = [ask(path, f"a{number}@example.com").status_code for number in range(7)]
    assert statuses == [200] * 5 + [429] * 2


def test_confirmation_expires_after_a_day(path: str) -> None:
    ask(path)
    [request] = send()
    TrackingSubscriber.objects.update(requested_at=database_now() - timedelta(hours=25))
    assert post(link_in(request, "confirm")).status_code == 404
    send()
    assert not TrackingSubscriber.objects.exists()


def test_without_a_mail_server_the_page_offers_nothing(path: str, settings: Settings) -> None:
    token = email_updates.form_token(TrackingLink.objects.get(), database_now())
    settings.HAS_MAIL_SERVER = False
    response = Client().get(path)
    assert "<form" not in response.content.decode()
    assert "form-action 'none'" in response.headers["Content-Security-Policy"]
    answer = Client().post(f"{path}/email", {"address": ADDRESS, "form": token})
    assert answer.status_code == 404
    assert not TrackingSubscriber.objects.exists()


def test_other_addresses_look_like_an_unknown_link(path: str) -> None:
    unknown, answer = Client().get("/track/nothing"), post("/track/nothing/email")
    assert (answer.status_code, answer.content) == (404, unknown.content)
    # A used link of an email, and one that never was.
    used = link_in(subscribe(path), "confirm")
    answer = post(used)
    assert (answer.status_code, answer.content) == (404, post(f"{used[:-3]}abc").content)
    assert "It was used already" in answer.content.decode()


def test_refused_emails_are_tried_five_times_for_one_change(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(path)
    cancel_order()
    tried = []

    def refuse(subject: str, *_arguments: Any, **_named: Any) -> str:
        tried.append(subject)
        raise DeliveryFailed("550 no such mailbox")

    monkeypatch.setattr(email_updates, "send_email", refuse)
    for minutes in range(0, 600, 20):
        send(minutes)
    assert len(tried) == email_updates.MAX_MAIL_ATTEMPTS


def test_email_of_several_orders_names_the_one_that_changed() -> None:
    promised = in_hours(100)
    store_orders(
        ("erp", "order.received", -48, ordered("SO-1", promised_at=promised)),
        ("erp", "order.received", -24, ordered("SO-2", promised_at=promised)),
    )
    path = create_link(Order.objects.get(number="SO-2"), covers_po=True)
    subscribe(path)
    cancel_order()
    [update] = send(61)
    assert update.subject.startswith("PO PO-7, order SO-1: ")
    assert "PO PO-7, order SO-2: " in update.body
    # An order that leaves the page is no news.
    row = TrackingSubscriber.objects.get()
    row.headline += "\nPO PO-7, order SO-0: Delivered"
    row.save()
    assert send(120) == []


def test_link_that_ends_while_emails_are_sent_sends_no_more(path: str) -> None:
    subscribe(path)
    cancel_order()
    row = TrackingSubscriber.objects.get()
    row.mail_due_at = row.requested_at
    row.save()
    TrackingLink.objects.update(revoked_at=database_now())
    assert email_updates._send_next(database_now()) is False
    assert not TrackingSubscriber.objects.exists()


def test_form_without_an_address_is_refused_where_it_is_entered(path: str) -> None:
    token = email_updates.form_token(TrackingLink.objects.get(), database_now())
    answer = Client().post(f"{path}/email", {"form": token})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()


def test_what_no_server_accepted_is_tried_again(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(path)

    def refuse(*_arguments: Any, **_named: Any) -> str:
        raise DeliveryFailed("421 try later")

    with monkeypatch.context() as patched:
        patched.setattr(email_updates, "send_email", refuse)
        assert send() == []
    row = TrackingSubscriber.objects.get()
    assert (row.mail_error, row.sent_at, row.mail_attempts) == ("421 try later", None, 1)
    assert send() == []
    assert len(send(3)) == 1
    row.refresh_from_db()
    assert row.sent_at is not None


def test_logs_have_no_keys(path: str) -> None:
    ask(path)
    [request] = send()
    for address in (link_in(request, "confirm"), link_in(request, "stop"), f"{path}/email"):
        secret = address.replace("/email", "").rpartition("/")[2]
        assert secret not in str(redact_secrets(None, "", {"event": f"GET {address} 200"}))


def test_page_stays_small_and_without_cookie(path: str) -> None:
    response = Client().get(path)
    assert len(response.content) < 60_000
    assert not response.cookies
    assert "Cookie" not in response.headers.get("Vary", "")
    assert "form-action 'self'" in response.headers["Content-Security-Policy"]
