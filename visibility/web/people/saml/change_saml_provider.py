"""Check, store and remove the SAML provider that an administrator enters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction

from connectors.sdk.settings import SettingError
from visibility.db.lock_keys import LockKey, lock_until_commit
from visibility.db.release_connection import close_connection_outside_transaction
from visibility.models import SamlProvider, UnknownPeople
from visibility.models.audit import append_audit_entry
from visibility.web.author import Author
from visibility.web.people.saml.installation import INSTALL_COMMAND, is_saml_installed
from visibility.web.people.saml.read_saml_values import FIELDS, METADATA_XML, READERS
from visibility.web.people.single_sign_on.stored_provider import (
    InvalidIdentityProvider,
    changed_values,
    check_version,
    errors_of_new_people,
    read_valid_values,
)

if TYPE_CHECKING:
    from visibility.web.people.saml.provider_metadata import ProviderMetadata

OBJECT = "single sign-on with SAML"
CHANGED = "saml_provider.changed"
METADATA_FIELDS = ("entity_id", "sign_in_address", "certificates")
NOT_INSTALLED = f"SAML is not installed on this server. Run: {INSTALL_COMMAND}"


def current_saml_provider() -> SamlProvider:
    """The stored provider, or an unsaved one with version 0."""
    return SamlProvider.objects.first() or SamlProvider(
        id=1, unknown_people=UnknownPeople.REFUSE, version=0
    )


def enabled_saml_provider() -> SamlProvider | None:
    """The provider at which people sign in; None if it is off or SAML is not installed."""
    row = SamlProvider.objects.filter(is_enabled=True).first()
    return row if row is not None and is_saml_installed() else None


def change_saml_provider(
    values: Mapping[str, object], *, version: int | None, by: Author
) -> SamlProvider:
    """Change the given FIELDS. The metadata is read from METADATA_XML or a new address.

    Nothing is written if nothing changes. `version`: the one that the user saw; None skips the
    check. Raises InvalidIdentityProvider and IdentityProviderConflict.
    """
    if not is_saml_installed():
        raise InvalidIdentityProvider([SettingError(METADATA_XML, NOT_INSTALLED)])
    # Before errors of the values: a form with errors is shown with the version of today.
    check_version(current_saml_provider(), version)
    read = read_valid_values(values, READERS)
    metadata = _read_new_metadata(read, str(values.get(METADATA_XML) or ""), by)
    with transaction.atomic():
        row = _lock_row(version)
        before = _values(row)
        for name, value in read.items():
            setattr(row, name, value)
        if metadata is not None:
            _apply_metadata(row, metadata, by)
        _check_combination(row)
        return _save_if_changed(row, before, by)


def read_metadata_of_address(*, by: Author) -> SamlProvider:
    """Read the stored address: the provider may have new certificates.

    Raises InvalidIdentityProvider, also if the address now describes another provider.
    """
    address = current_saml_provider().metadata_address
    if not is_saml_installed() or not address:
        sentence = (
            "Enter the address of the metadata first." if is_saml_installed() else NOT_INSTALLED
        )
        raise InvalidIdentityProvider([SettingError("metadata_address", sentence)])
    metadata = _metadata_at(address, by)
    with transaction.atomic():
        row = _lock_row(None)
        if row.metadata_address != address or row.entity_id != metadata.entity_id:
            sentence = f"The address describes another provider: {metadata.entity_id}."
            raise InvalidIdentityProvider([SettingError("metadata_address", sentence)])
        before = _values(row)
        _apply_metadata(row, metadata, by)
        return _save_if_changed(row, before, by)


def remove_saml_provider(*, by: Author) -> bool:
    """Remove the provider; return whether there was one. Links of people stay."""
    with transaction.atomic():
        row = _lock_row(None)
        if not row.version:
            return False
        row.delete()
        _audit("saml_provider.removed", by, {"before": _values(row)})
    return True


def _read_new_metadata(read: Mapping[str, Any], xml: str, by: Author) -> "ProviderMetadata | None":
    """What the administrator gave; None if the stored metadata stays."""
    from visibility.web.people.saml.provider_metadata import InvalidMetadata, read_metadata

    stored = current_saml_provider()
    address = read.get("metadata_address", stored.metadata_address)
    if xml.strip():
        if address:
            sentence = "Enter the address of the metadata or the metadata itself, not both."
            raise InvalidIdentityProvider([SettingError(METADATA_XML, sentence)])
        try:
            return read_metadata(xml.encode(), now=by.now)
        except InvalidMetadata as error:
            raise InvalidIdentityProvider([SettingError(METADATA_XML, str(error))]) from error
    if address and address != stored.metadata_address:
        return _metadata_at(address, by)
    return None


def _metadata_at(address: str, by: Author) -> "ProviderMetadata":
    from visibility.web.people.saml.fetch_metadata import fetch_metadata
    from visibility.web.people.saml.provider_metadata import InvalidMetadata, read_metadata

    close_connection_outside_transaction()  # others can use it while the provider answers
    try:
        return read_metadata(fetch_metadata(address), now=by.now)
    except InvalidMetadata as error:
        raise InvalidIdentityProvider([SettingError("metadata_address", str(error))]) from error


def _apply_metadata(row: SamlProvider, metadata: "ProviderMetadata", by: Author) -> None:
    row.entity_id = metadata.entity_id
    row.sign_in_address = metadata.sign_in_address
    row.certificates = list(metadata.certificates)
    row.metadata_read_at = by.now


def _check_combination(row: SamlProvider) -> None:
    errors = []
    if not row.name:
        errors.append(SettingError("name", "Enter 1 to 40 characters on one line."))
    if not row.certificates:
        sentence = "Enter the metadata of the provider, or its address."
        errors.append(SettingError(METADATA_XML, sentence))
    errors += errors_of_new_people(row)
    if row.unknown_people == UnknownPeople.CREATE and not row.trusts_email_addresses:
        sentence = "New accounts need email addresses that the provider has verified."
        errors.append(SettingError("trusts_email_addresses", sentence))
    if row.group_roles and not row.groups_attribute:
        errors.append(SettingError("groups_attribute", "Enter the attribute that has the groups."))
    if errors:
        raise InvalidIdentityProvider(errors)


def _save_if_changed(row: SamlProvider, before: dict[str, Any], by: Author) -> SamlProvider:
    changes = changed_values(before, _values(row), is_new=not row.version)
    if not changes["after"] and row.version:
        row.save(update_fields=["metadata_read_at"])
        return row
    row.version += 1
    row.save()
    _audit(CHANGED, by, changes)
    return row


def _values(row: SamlProvider) -> dict[str, Any]:
    return {name: getattr(row, name) for name in (*FIELDS, *METADATA_FIELDS)}


def _lock_row(version: int | None) -> SamlProvider:
    lock_until_commit(LockKey.SAML_PROVIDER)
    row = current_saml_provider()
    check_version(row, version)
    return row


def _audit(action: str, by: Author, detail: dict[str, Any]) -> None:
    append_audit_entry(action, user=by.user, object=OBJECT, detail=detail, now=by.now)
