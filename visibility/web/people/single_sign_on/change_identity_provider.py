"""Check, store and remove the identity provider that an administrator enters."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction

from connectors.sdk.settings import SettingError
from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import decrypt_text, encrypt_text
from visibility.db.lock_keys import LockKey
from visibility.models import IdentityProvider, UnknownPeople
from visibility.models.audit import append_audit_entry
from visibility.web.author import Author
from visibility.web.people.single_sign_on.read_provider_values import (
    FIELDS,
    READERS,
    SECRET,
    check_issuer_address,
)

PURPOSE = KeyPurpose.IDENTITY_PROVIDER
OBJECT = "single sign-on"
CHANGED = "single_sign_on.changed"
DEFAULT_SCOPES = "openid profile email"


class InvalidIdentityProvider(ValueError):
    """Values are invalid. `errors` names the fields and says why."""

    def __init__(self, errors: list[SettingError]) -> None:
        super().__init__(" ".join(error.sentence for error in errors))
        self.errors = tuple(errors)


class IdentityProviderConflict(ValueError):
    """Somebody changed the identity provider after it was read."""


def current_identity_provider() -> IdentityProvider:
    """The stored provider, or an unsaved one with version 0."""
    return IdentityProvider.objects.first() or IdentityProvider(
        id=1,
        scopes=DEFAULT_SCOPES,
        groups_claim="groups",
        unknown_people=UnknownPeople.REFUSE,
        version=0,
    )


def enabled_identity_provider() -> IdentityProvider | None:
    """The provider at which people sign in; None if it is off."""
    return IdentityProvider.objects.filter(is_enabled=True).first()


def client_secret_of(provider: IdentityProvider) -> str:
    """The secret as the provider issued it. Raises UnreadableCiphertext."""
    return decrypt_text(provider.sealed_client_secret, purpose=PURPOSE).decode()


def change_identity_provider(
    values: Mapping[str, object], *, version: int | None, by: Author
) -> IdentityProvider:
    """Change the given FIELDS and the secret; a blank secret leaves the stored one.

    A stored secret is never sent to another issuer or for another client. Nothing is written if
    nothing changes. `version`: the one that the user saw; None skips the check. Raises
    InvalidIdentityProvider and IdentityProviderConflict.
    """
    with transaction.atomic():
        _lock()
        row = current_identity_provider()
        if version is not None and version != row.version:
            raise IdentityProviderConflict(
                f"Single sign-on was changed meanwhile; its version is {row.version} now."
            )
        before = _values(row)
        secret = _apply(row, values if row.version else {**before, **values})
        after = _values(row)
        changed = [name for name in FIELDS if after[name] != before[name]]
        if not changed and not secret and row.version:
            return row
        if secret:
            row.sealed_client_secret = encrypt_text(secret.encode(), purpose=PURPOSE)
        row.tested_at, row.version = None, row.version + 1
        row.save()
        detail = {
            "before": {name: before[name] for name in changed if row.version > 1},
            "after": {name: after[name] for name in changed},
            "secret_changed": bool(secret),
        }
        _audit(CHANGED, by.user, by, detail)
    return row


def remove_identity_provider(*, by: Author) -> bool:
    """Remove the provider and its secret; return whether there was one. Links of people stay."""
    with transaction.atomic():
        _lock()
        row = IdentityProvider.objects.first()
        if row is None:
            return False
        row.delete()
        _audit("single_sign_on.removed", by.user, by, {"before": _values(row)})
    return True


def _values(row: IdentityProvider) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}


def _apply(row: IdentityProvider, values: Mapping[str, object]) -> str:
    """Set the values; return the new secret, empty if it stays. Raises InvalidIdentityProvider."""
    errors: list[SettingError] = []
    read: dict[str, Any] = {}
    client_before = (row.issuer, row.client_id)
    for name in (*FIELDS, SECRET):
        if name in values:
            try:
                read[name] = READERS[name](values[name])
            except ValueError as error:
                errors.append(SettingError(name, str(error)))
    for name in FIELDS:
        if name in read:
            setattr(row, name, read[name])
    secret: str = read.get(SECRET, "")
    if not errors:
        errors += _errors_of_combination(row, secret, client_before)
    if errors:
        raise InvalidIdentityProvider(errors)
    return secret


def _errors_of_combination(
    row: IdentityProvider, secret: str, client_before: tuple[str, str]
) -> list[SettingError]:
    errors = []
    try:
        check_issuer_address(row.issuer)
    except ValueError as error:
        errors.append(SettingError("issuer", str(error)))
    if not secret and not row.sealed_client_secret:
        errors.append(SettingError(SECRET, "Enter the client secret."))
    elif not secret and client_before != (row.issuer, row.client_id):
        sentence = "Enter the client secret again: the stored one belongs to another client."
        errors.append(SettingError(SECRET, sentence))
    if row.unknown_people == UnknownPeople.CREATE and not row.group_roles:
        sentence = "Enter the group of at least one role: new people get the role of their group."
        errors.append(SettingError("group_roles", sentence))
    if row.group_roles and not row.groups_claim:
        errors.append(SettingError("groups_claim", "Enter the claim that has the groups."))
    return errors


def _lock() -> None:
    with connection.cursor() as cursor:
        # There may be no row to lock.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LockKey.IDENTITY_PROVIDER])


def _audit(action: str, user: User, by: Author, detail: dict[str, Any]) -> None:
    """Add an audit entry. It never contains the secret."""
    append_audit_entry(action, user=user, object=OBJECT, detail=detail, now=by.now)
