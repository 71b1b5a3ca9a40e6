"""Compare a new password with those of breaches: the range API of Pwned Passwords.

It gets the first 5 characters of the SHA-1 of the password, and answers with the endings of all
breached passwords that begin so, one `ENDING:COUNT` in each line; padding has the count 0
(https://haveibeenpwned.com/API/v3#PwnedPasswords). If it cannot be reached, the password is
accepted, and the audit log and the system page say so.
"""

import hashlib
from typing import Any

import structlog
from django.core.exceptions import ValidationError

from connectors.sdk.webhook_and_poll_types import HttpRequest
from visibility.db.database_time import database_now
from visibility.models import SecuritySettings
from visibility.models.audit import append_audit_entry
from visibility.outbound.http_client import OutgoingHttpClient
from visibility.outbound.request_time_and_count_limits import RequestBudget

PREFIX_LENGTH, SHA1_LENGTH = 5, 40
# People wait for the answer.
REQUEST_SECONDS = 5.0
OK = 200
SENTENCE = (
    "This password is in a list of passwords that became known in breaches. Choose another one."
)
log = structlog.get_logger(__name__)


class RangeUnavailable(Exception):
    """The list of breached passwords did not answer as documented."""


class BreachedPasswordValidator:
    """Refuses passwords of breaches, if an administrator turned the check on."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError; nothing if the list cannot be reached."""
        row = SecuritySettings.objects.filter(checks_breached_passwords=True).first()
        if row is None:
            return
        try:
            count = count_in_breaches(password, row.breach_check_url)
        except RangeUnavailable as error:
            _record_failure(str(error), user)
            return
        SecuritySettings.objects.update(breach_checked_at=database_now())
        if count:
            raise ValidationError(SENTENCE, code="password_breached")

    def get_help_text(self) -> str:
        return "Your password must not be known from a breach."


def count_in_breaches(password: str, url: str) -> int:
    """How often the password was seen in breaches. Raises RangeUnavailable."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    prefix, ending = digest[:PREFIX_LENGTH], digest[PREFIX_LENGTH:]
    request = HttpRequest(
        method="GET",
        url=url + prefix,
        headers={"add-padding": "true", "user-agent": "Throughline"},
    )
    budget = RequestBudget(seconds=REQUEST_SECONDS, requests=1)
    try:
        answer = OutgoingHttpClient(budget).send(request)
    except ConnectionError as error:
        raise RangeUnavailable(str(error).replace(url + prefix, url)[:300]) from error
    if answer.status != OK:
        raise RangeUnavailable(f"the answer had the status {answer.status}")
    return _count_of_ending(answer.body.decode("ascii", "replace"), ending)


def _count_of_ending(text: str, ending: str) -> int:
    counts: dict[str, int] = {}
    for line in text.split():
        name, _, count = line.partition(":")
        if len(name) != SHA1_LENGTH - PREFIX_LENGTH or not (count.isascii() and count.isdecimal()):
            raise RangeUnavailable("the answer is not a list of hashes and counts")
        counts[name.upper()] = int(count[:18])
    if not counts:
        raise RangeUnavailable("the answer was empty")
    return counts.get(ending, 0)


def _record_failure(error: str, user: Any) -> None:
    now = database_now()
    SecuritySettings.objects.update(breach_check_failed_at=now, breach_check_error=error)
    is_stored = user is not None and user.pk is not None
    append_audit_entry(
        "security.breach_check_failed",
        user=user if is_stored else None,
        object=user.get_username()[:200] if user is not None else "",
        detail={"error": error, "password": "accepted without the check"},
        now=now,
    )
    log.warning("breached passwords cannot be checked", error=error)
