"""Change how new passwords are checked: for breaches, and for words that are easy to guess."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import transaction

from connectors.sdk.given_values import read_given_values
from connectors.sdk.parse_setting_values import parse_storable_text
from connectors.sdk.settings import SettingError
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.models import SecuritySettings
from visibility.models.audit import append_audit_entry
from visibility.models.people import BREACH_CHECK_URL
from visibility.web.author import Author
from visibility.web.people.passwords.known_terms import MIN_TERM_LENGTH
from visibility.web.people.single_sign_on.read_provider_values import (
    check_issuer_address,
    is_safe_scheme,
)

CHANGED = "security.password_checks"
MAX_TERMS, MAX_TERM_LENGTH, MAX_URL_LENGTH = 200, 60, 200
FIELDS = ("checks_breached_passwords", "breach_check_url", "refused_password_terms")


class InvalidPasswordChecks(ValueError):
    """Values are invalid. `errors` names the fields and says why."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


def current_password_checks() -> dict[str, Any]:
    """The FIELDS as they are stored, or their defaults."""
    row = SecuritySettings.objects.first() or SecuritySettings()
    return {name: getattr(row, name) for name in FIELDS}


def lock_password_checks() -> None:
    """Until the end of the transaction, nobody else changes them: there may be no row to lock."""
    lock_until_commit(LockKey.PASSWORD_CHECKS)


def change_password_checks(values: Mapping[str, object], *, by: Author) -> None:
    """Change the given FIELDS. Raises InvalidPasswordChecks."""
    read, errors = read_given_values(values, READERS)
    if errors:
        raise InvalidPasswordChecks(errors)
    with transaction.atomic():
        lock_password_checks()
        before = current_password_checks()
        changed = {name: value for name, value in read.items() if value != before[name]}
        if not changed:
            return
        stored = {**changed, "changed_by": by.user, "changed_at": by.now}
        SecuritySettings.objects.update_or_create(
            id=1, defaults=stored, create_defaults={**stored, "requires_second_factor": True}
        )
        detail = {"before": {name: before[name] for name in changed}, "after": changed}
        append_audit_entry(CHANGED, user=by.user, object="security", detail=detail, now=by.now)


def _read_url(raw: object) -> str:
    """The address up to the hash. Raises ValueError."""
    url = parse_storable_text(str(raw or "").strip())
    if url in {"", BREACH_CHECK_URL}:
        return BREACH_CHECK_URL
    if len(url) > MAX_URL_LENGTH - 1 or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"Enter an address of at most {MAX_URL_LENGTH - 1} characters.")
    if "?" in url or "#" in url or not is_safe_scheme(url):
        raise ValueError(
            "Enter an https:// address without a query. Plain http:// is possible only for an "
            "address that is listed under Outgoing addresses."
        )
    check_issuer_address(url)
    return url if url.endswith("/") else f"{url}/"


def _read_terms(raw: object) -> list[str]:
    """Distinct words, from a list or from lines. Raises ValueError."""
    given = raw.splitlines() if isinstance(raw, str) else raw
    if not isinstance(given, list):
        raise ValueError("Enter a list of words.")
    terms: dict[str, str] = {}
    for item in given:
        term = " ".join(parse_storable_text(str(item)).split())
        if not term:
            continue
        if not MIN_TERM_LENGTH <= len(term) <= MAX_TERM_LENGTH or not term.isprintable():
            limits = f"{MIN_TERM_LENGTH} to {MAX_TERM_LENGTH}"
            raise ValueError(f"“{term[:MAX_TERM_LENGTH]}” does not have {limits} characters.")
        terms.setdefault(term.casefold(), term)
    if len(terms) > MAX_TERMS:
        raise ValueError(f"Enter at most {MAX_TERMS} words.")
    return list(terms.values())


READERS: Mapping[str, Callable[[object], Any]] = {
    "checks_breached_passwords": bool,
    "breach_check_url": _read_url,
    "refused_password_terms": _read_terms,
}
