"""Emails about the headline of a tracking page: request, confirm, send and end them.

An address is entered on the page and receives a request to confirm. Once it is confirmed, it
receives an email when the headline changes, until it is unsubscribed or the link ends. An email
says nothing that the page does not show. "Sent" means that a mail server accepted it.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.database_time import database_now
from visibility.db.derived_keys import KeyPurpose
from visibility.db.keyed_seal import is_valid_seal, seal_text
from visibility.models import TrackingLink, TrackingSubscriber
from visibility.models.tracking_subscribers import MAX_ADDRESS
from visibility.notify.channel import DeliveryFailed
from visibility.notify.mail import has_mail_server, send_email
from visibility.preferences.customer_brand import current_brand
from visibility.screens.tracking.headlines_of_link import (
    headline_text,
    load_tracked_orders,
    new_lines,
)
from visibility.screens.tracking.orders_of_link import (
    NAME_LENGTH,
    SEAL_LENGTH,
    orders_of_link,
    tracking_path,
)
from visibility.storage.organization import organization_name

FORM = KeyPurpose.TRACKING_EMAIL_FORM
CONFIRM = KeyPurpose.TRACKING_EMAIL_CONFIRMATION
STOP = KeyPurpose.TRACKING_EMAIL_STOP
FORM_LIFETIME = timedelta(hours=12)
CONFIRM_WITHIN = timedelta(hours=24)
MAX_SUBSCRIBERS, MAX_REQUESTS = 10, 3
# Between two requests to confirm that go to the same address.
REQUEST_PAUSE = timedelta(minutes=15)
CHECK_EVERY = timedelta(minutes=10)
CHECKS_PER_RUN, MAILS_PER_RUN = 50, 20
MAX_MAIL_ATTEMPTS = 5
MAIL_RETRY = timedelta(minutes=1)


class InvalidAddress(ValueError):
    """The text is no email address."""


def form_token(link: TrackingLink, now: datetime) -> str:
    """A token for the form of this link: the page has no cookie that a form could be bound to."""
    seconds = str(int(now.timestamp()))
    seal = seal_text(_text_of_form(link, seconds), purpose=FORM)
    return f"{seconds}.{seal[:SEAL_LENGTH]}"


def is_form_token(token: str, link: TrackingLink, now: datetime) -> bool:
    """Whether the page of this link made the token within the last hours."""
    seconds, _, seal = token.partition(".")
    if not seconds.isascii() or not seconds.isdecimal() or len(seconds) > 11:
        return False
    age = now.timestamp() - int(seconds)
    text = _text_of_form(link, seconds)
    is_authentic = is_valid_seal(seal, text, purpose=FORM, length=SEAL_LENGTH)
    return is_authentic and 0 <= age + 1 <= FORM_LIFETIME.total_seconds()


def request_updates(link: TrackingLink, address: str, now: datetime) -> None:
    """Send the address a request to confirm, unless it is confirmed or was asked just now.

    The caller cannot tell which. Raises InvalidAddress.
    """
    address = address.strip()
    try:
        validate_email(address)
    except ValidationError:
        raise InvalidAddress from None
    if len(address) > MAX_ADDRESS:
        raise InvalidAddress
    with transaction.atomic():
        TrackingLink.objects.select_for_update().get(pk=link.pk)
        rows = TrackingSubscriber.objects.filter(link=link)
        stored = rows.select_for_update().filter(address__iexact=address).first()
        if stored is None:
            if rows.count() < MAX_SUBSCRIBERS:
                TrackingSubscriber.objects.create(
                    link=link,
                    name=secrets.token_urlsafe(NAME_LENGTH * 3 // 4),
                    address=address,
                    requested_at=now,
                    mail_due_at=now,
                )
            return
        is_paused = stored.was_requested_after(now - REQUEST_PAUSE)
        if stored.is_confirmed() or is_paused or stored.requests >= MAX_REQUESTS:
            return
        stored.requested_at, stored.requests = now, stored.requests + 1
        stored.mail_due_at, stored.mail_attempts = now, 0
        stored.save(update_fields=["requested_at", "requests", "mail_due_at", "mail_attempts"])


def subscriber_path(subscriber: TrackingSubscriber, purpose: str) -> str:
    """The path with which the address is confirmed, or unsubscribed."""
    action = "confirm" if purpose == CONFIRM else "stop"
    seal = seal_text(_sealed_text(subscriber, purpose), purpose=purpose)
    return f"/track/email/{action}/{subscriber.name}{seal[:SEAL_LENGTH]}"


def find_subscriber(
    key: str, purpose: str, now: datetime, *, lock: bool = False
) -> TrackingSubscriber | None:
    """The subscriber of an address, while the link is valid; `lock` needs a transaction.

    A confirmation works once, and for a day.
    """
    name, seal = key[:NAME_LENGTH], key[NAME_LENGTH:]
    rows = TrackingSubscriber.objects.select_related("link__order")
    if lock:
        rows = rows.select_for_update(of=("self",))
    row = rows.filter(name=name).first()
    if row is None:
        return None
    text = _sealed_text(row, purpose)
    if not is_valid_seal(seal, text, purpose=purpose, length=SEAL_LENGTH):
        return None
    is_open = purpose == STOP or (
        not row.is_confirmed() and row.was_requested_after(now - CONFIRM_WITHIN)
    )
    return row if is_open and row.link.is_valid_at(now) else None


def confirm(key: str, now: datetime) -> TrackingSubscriber | None:
    """Confirm an address: it hears of the next change. None if the confirmation is not valid."""
    with transaction.atomic():
        row = find_subscriber(key, CONFIRM, now, lock=True)
        if row is not None:
            row.confirmed_at = now
            row.headline = _headline(row.link, now)
            row.check_at, row.mail_due_at, row.mail_attempts = now + CHECK_EVERY, None, 0
            row.save()
    return row


def stop(key: str, now: datetime) -> bool:
    """Delete the address. False if there is none with this key."""
    with transaction.atomic():
        row = find_subscriber(key, STOP, now, lock=True)
        if row is not None:
            row.delete()
    return row is not None


def send_due_mails() -> int:
    """The job: see `send_tracking_mails`."""
    return send_tracking_mails(database_now())


def send_tracking_mails(now: datetime) -> int:
    """End what has ended, compare headlines, and send what is due; return how many were sent."""
    ended = Q(link__revoked_at__isnull=False) | Q(link__expires_at__lte=now)
    expired = Q(confirmed_at=None, requested_at__lte=now - CONFIRM_WITHIN)
    TrackingSubscriber.objects.filter(ended | expired).delete()
    if not has_mail_server():
        return 0
    _run(lambda: _check_next(now), CHECKS_PER_RUN)
    return _run(lambda: _send_next(now), MAILS_PER_RUN)


def _run(step: Callable[[], bool | None], limit: int) -> int:
    """Repeat until nothing is due; return how often it was true."""
    count = 0
    for _ in range(limit):
        result = step()
        if result is None:
            break
        count += result
    return count


def _check_next(now: datetime) -> bool | None:
    """Compare the next headline; whether it changed. None if none is due."""
    with transaction.atomic():
        row = _lock_due("check_at", now)
        if row is None:
            return None
        headline = _headline(row.link, now)
        # While an email waits, its text is read when it is sent.
        is_changed = bool(new_lines(headline, row.headline)) and row.mail_due_at is None
        if is_changed:
            row.mail_due_at, row.mail_attempts = now, 0
        row.check_at = now + CHECK_EVERY
        row.save(update_fields=["mail_due_at", "mail_attempts", "check_at"])
        return is_changed


def _send_next(now: datetime) -> bool | None:
    """Send the next email; whether a mail server accepted it. None if none is due."""
    with transaction.atomic():
        row = _lock_due("mail_due_at", now)
        if row is None:
            return None
        if not row.link.is_valid_at(database_now()):
            row.delete()
            return False
        headline = _headline(row.link, now) if row.is_confirmed() else ""
        changed = new_lines(headline, row.headline)
        if row.is_confirmed() and not changed:
            # The last email had the same text, or no order is shown any more.
            row.mail_due_at = None
            row.save(update_fields=["mail_due_at"])
            return False
        row.mail_attempts += 1
        row.mail_error = _send(row, headline, changed)
        if not row.mail_error:
            row.sent_at, row.mail_due_at, row.mail_attempts = now, None, 0
            row.headline = headline
        elif row.mail_attempts >= MAX_MAIL_ATTEMPTS:
            # The next change is the next reason to try.
            row.mail_due_at, row.headline = None, headline or row.headline
        else:
            row.mail_due_at = now + MAIL_RETRY * 2**row.mail_attempts
        row.save()
        return not row.mail_error


def _lock_due(column: str, now: datetime) -> TrackingSubscriber | None:
    rows = TrackingSubscriber.objects.select_for_update(skip_locked=True, of=("self",))
    due = rows.select_related("link__order").filter(**{f"{column}__lte": now})
    return due.order_by(column, "pk").first()


def _send(row: TrackingSubscriber, headline: str, changed: Sequence[str]) -> str:
    """Send one email; return why no server accepted it, or an empty text."""
    base = settings.PUBLIC_URL.rstrip("/")
    name = current_brand().display_name or organization_name()
    stop_url = base + subscriber_path(row, STOP)
    headers = {}
    if row.is_confirmed():
        subject = changed[0]
        text = f"{headline}\n\nDetails:\n{base}{tracking_path(row.link)}\n\n"
        # RFC 8058: mail programs unsubscribe with one click.
        headers = {
            "List-Unsubscribe": f"<{stop_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    else:
        subject = "Confirm email updates about your order"
        text = (
            "Somebody entered this address to receive an email when the status of an order "
            f"changes. Confirm within 24 hours:\n\n{base}{subscriber_path(row, CONFIRM)}\n\n"
            "If it was not you, ignore this email: nothing more is sent.\n\n"
        )
    text += f"Unsubscribe: {stop_url}\n"
    try:
        send_email(f"{name}: {subject}" if name else subject, text, row.address, headers=headers)
    except DeliveryFailed as error:
        return str(error)[:300] or "No mail server accepted the message."
    return ""


def _headline(link: TrackingLink, now: datetime) -> str:
    """The headline of the page; empty if it shows no order any more."""
    of_link = orders_of_link(link, now)
    return headline_text(load_tracked_orders(of_link, now)) if of_link.shown else ""


def _text_of_form(link: TrackingLink, seconds: str) -> str:
    return f"{link.name}\0{seconds}"


def _sealed_text(row: TrackingSubscriber, purpose: str) -> str:
    # A new request replaces the confirmation before it.
    requested = format_rfc3339(row.requested_at) if purpose == CONFIRM else ""
    values = (row.name, str(row.link_id), row.address, requested)
    return "\0".join(values)
