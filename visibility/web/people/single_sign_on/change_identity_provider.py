"""Check, store and remove the identity provider that an administrator enters."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from connectors.sdk.settings import SettingError
from visibility.db.derived_keys import KeyPurpose
from visibility.db.encrypt_texts import decrypt_text, encrypt_text
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.models import IdentityProvider, UnknownPeople
from visibility.models.audit import append_audit_entry
from visibility.web.author import Author
from visibility.web.people.single_sign_on.read_provider_values import (
    FIELDS,
    READERS,
    SECRET,
    check_issuer_address,
)
from visibility.web.people.single_sign_on.stored_provider import (
    InvalidIdentityProvider,
    changed_values,
    check_version,
    errors_of_new_people,
    read_valid_values,
)

PURPOSE = KeyPurpose.IDENTITY_PROVIDER
OBJECT = "single sign-on"
CHANGED = "single_sign_on.changed"
DEFAULT_SCOPES = "openid profile email"


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
        lock_until_commit(LockKey.IDENTITY_PROVIDER)
        row = current_identity_provider()
        check_version(row, version)
        before, is_new = _values(row), not row.version
        secret = _apply(row, {**before, **values} if is_new else values)
        changes = changed_values(before, _values(row), is_new=is_new)
        if not changes["after"] and not secret and not is_new:
            return row
        if secret:
            row.sealed_client_secret = encrypt_text(secret.encode(), purpose=PURPOSE)
        row.tested_at, row.version = None, row.version + 1
        row.save()
        _audit(CHANGED, by, {**changes, "secret_changed": bool(secret)})
    return row


def remove_identity_provider(*, by: Author) -> bool:
    """Remove the provider and its secret; return whether there was one. Links of people stay."""
    with transaction.atomic():
        lock_until_commit(LockKey.IDENTITY_PROVIDER)
        row = IdentityProvider.objects.first()
        if row is None:
            return False
        row.delete()
        _audit("single_sign_on.removed", by, {"before": _values(row)})
    return True


def _values(row: IdentityProvider) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}


def _apply(row: IdentityProvider, values: Mapping[str, object]) -> str:
    """Set the values; return the new secret, empty if it stays. Raises InvalidIdentityProvider."""
    read = read_valid_values(values, READERS)
    client_before = (row.issuer, row.client_id)
    secret: str = read.pop(SECRET, "")
    for name, value in read.items():
        setattr(row, name, value)
    errors = _errors_of_combination(row, secret, client_before)
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
    errors += errors_of_new_people(row)
    if row.group_roles and not row.groups_claim:
        errors.append(SettingError("groups_claim", "Enter the claim that has the groups."))
    return errors


def _audit(action: str, by: Author, detail: dict[str, Any]) -> None:
    """Add an audit entry. It never contains the secret."""
    append_audit_entry(action, user=by.user, object=OBJECT, detail=detail, now=by.now)
