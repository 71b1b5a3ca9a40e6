"""Links with which a person sets a password: create, find, use, and send them by email.

The address is `/account/link/<name><seal>`; the name is random, and the seal is a keyed hash of the
row and of the present password, so that a new password ends every link. Neither is stored in full.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from connectors.sdk.event_codec import format_rfc3339
from visibility.db.derived_keys import KeyPurpose
from visibility.db.keyed_seal import is_valid_seal, seal_text
from visibility.models import AccountLink, AccountLinkPurpose, AccountMailState
from visibility.notify.channel import DeliveryFailed
from visibility.notify.mail import has_mail_server, send_email

PURPOSE = KeyPurpose.ACCOUNT_LINK
NAME_LENGTH, SEAL_LENGTH = 16, 40
LIFETIMES: Mapping[AccountLinkPurpose, timedelta] = {
    AccountLinkPurpose.INVITATION: timedelta(days=7),
    AccountLinkPurpose.RESET: timedelta(minutes=30),
}
MAX_MAIL_ATTEMPTS = 5
MAIL_RETRY = timedelta(minutes=1)
MAILS_PER_RUN = 20


def create_account_link(
    user: User,
    purpose: AccountLinkPurpose,
    *,
    by: User | None,
    now: datetime,
    send_mail: bool,
) -> AccountLink:
    """Create a link; with `send_mail`, it is sent soon, if there are an address and a server.

    The link of an administrator replaces earlier ones. One that anybody can ask for, does not.
    """
    has_mail = send_mail and bool(user.email) and has_mail_server()
    if by is not None:
        end_account_links(user, now)
    return AccountLink.objects.create(
        name=secrets.token_urlsafe(NAME_LENGTH * 3 // 4),
        user=user,
        purpose=purpose,
        created_by=by,
        created_at=now,
        expires_at=now + LIFETIMES[purpose],
        mail_state=AccountMailState.WAITING if has_mail else AccountMailState.NONE,
        mail_due_at=now if has_mail else None,
    )


def account_link_path(link: AccountLink) -> str:
    """The path of a link."""
    seal = seal_text(_sealed_text(link), purpose=PURPOSE)
    return f"/account/link/{link.name}{seal[:SEAL_LENGTH]}"


def find_account_link(token: str, now: datetime, *, lock: bool = False) -> AccountLink | None:
    """The link of an address, if it can be used now; `lock` needs a transaction."""
    name, seal = token[:NAME_LENGTH], token[NAME_LENGTH:]
    rows = AccountLink.objects.select_related("user")
    if lock:
        rows = rows.select_for_update(of=("self", "user"))
    link = rows.filter(name=name).first()
    if link is None or not is_valid_seal(
        seal, _sealed_text(link), purpose=PURPOSE, length=SEAL_LENGTH
    ):
        return None
    return link if link.is_valid_at(now) and link.user.is_active else None


def end_account_links(user: User, now: datetime) -> None:
    """End the links of a user, for example because the password was changed."""
    AccountLink.objects.filter(user=user, ended_at=None).update(ended_at=now)


def send_due_account_mails(now: datetime) -> int:
    """Send the links that wait for it; return how many a mail server accepted."""
    sent = 0
    for _ in range(MAILS_PER_RUN):
        is_sent = _send_next_mail(now)
        if is_sent is None:
            break
        sent += is_sent
    return sent


def _send_next_mail(now: datetime) -> bool | None:
    """Send the next link that is due; return whether a server accepted it, None without any."""
    with transaction.atomic():
        rows = AccountLink.objects.select_for_update(skip_locked=True, of=("self",))
        link = (
            rows.filter(mail_state=AccountMailState.WAITING, mail_due_at__lte=now)
            .select_related("user", "created_by")
            .order_by("mail_due_at", "pk")
            .first()
        )
        if link is None:
            return None
        link.mail_attempts += 1
        link.mail_error = _send(link) if link.is_valid_at(now) else "The link had expired."
        link.mail_due_at = now + MAIL_RETRY * 2**link.mail_attempts
        if not link.mail_error:
            link.mail_state = AccountMailState.SENT
        elif link.mail_attempts >= MAX_MAIL_ATTEMPTS or not link.is_valid_at(now):
            link.mail_state = AccountMailState.FAILED
        link.save(update_fields=["mail_attempts", "mail_error", "mail_due_at", "mail_state"])
        return not link.mail_error


def _send(link: AccountLink) -> str:
    """Send one link; return why no server accepted it, or an empty text."""
    name = link.user.get_full_name() or link.user.get_username()
    address = settings.PUBLIC_URL.rstrip("/") + account_link_path(link)
    if link.purpose == AccountLinkPurpose.INVITATION:
        subject, action = "Your Throughline account", "Set your password within 7 days"
    else:
        subject, action = "Reset your Throughline password", "Set a new one within 30 minutes"
    reason = (
        f"{link.created_by.get_full_name() or link.created_by.get_username()} sent you this link."
        if link.created_by
        else "If you did not ask for this link, ignore it: your password stays as it is."
    )
    text = (
        f"Hello {name},\n\n{action}:\n\n{address}\n\n"
        f"The link works once. Your username is {link.user.get_username()}.\n\n{reason}\n"
    )
    try:
        send_email(subject, text, link.user.email)
    except DeliveryFailed as error:
        return str(error)[:300]
    return ""


def _sealed_text(link: AccountLink) -> str:
    times = (format_rfc3339(link.created_at), format_rfc3339(link.expires_at))
    values = (link.name, str(link.user_id), link.purpose, *times, link.user.password)
    return "\0".join(values)
