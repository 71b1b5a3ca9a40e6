"""The settings of a source as a form and for the API, derived from its connector's declarations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.catalog import connectors_by_slug
from connectors.sdk.settings import Setting, SettingError, SettingType
from visibility.ingest.check_source_settings import connector_and_common_settings
from visibility.ingest.setting_warnings import find_setting_warnings, source_choices
from visibility.ingest.source_secrets import (
    UnreadableSecrets,
    decrypt_secrets,
    secret_setting_values_by_name,
)
from visibility.models.sources_and_messages import Source
from visibility.screens.setting_fields import SettingField, build_setting_field

# Names of the inputs that add an entry to a family, such as `new-id:customer.`
NEW_ID, NEW_VALUE = "new-id:", "new-value:"
# Name of the input for a new secret of the source itself.
NEW_SECRET = "new-secret"  # noqa: S105  # the name of an input
# Name of the checkbox that removes a stored secret.
REMOVE_SECRET = "remove-secret:"  # noqa: S105  # the name of an input


@dataclass(frozen=True, slots=True)
class NewFamilyEntry:
    """The two inputs that add an entry to a family of settings: an id and its value."""

    setting: Setting
    id: str = ""
    value: str = ""
    error: str = ""

    @property
    def id_input(self) -> str:
        """The name of the input for the id."""
        return NEW_ID + self.setting.family_prefix

    @property
    def value_input(self) -> str:
        """The name of the input for the value."""
        return NEW_VALUE + self.setting.family_prefix


def setting_fields(
    source: Source,
    *,
    entered: Mapping[str, str] | None = None,
    errors: Sequence[SettingError] = (),
) -> list[SettingField]:
    """Return the fields with their stored or entered values. Without a connector: none."""
    sentences = {error.name: error.sentence for error in errors}
    stored = {name: str(text) for name, text in source.config_or_empty_if_invalid.items()}
    values = stored | dict(entered or {})
    secrets = _names_of_stored_secrets(source)
    declared = declared_settings_of_source(source)
    warnings = {w.name: w.sentence for w in setting_warnings_of_source(source, values)}
    names_sources = any(setting.type is SettingType.SOURCE for setting in declared)
    choices = [c for c in source_choices() if c[0] != source.slug] if names_sources else []
    return [
        replace(
            build_setting_field(
                setting,
                name,
                values.get(name, ""),
                sentences.get(name, ""),
                is_stored=name in secrets if setting.is_secret else bool(stored.get(name)),
                is_removable=setting.is_secret and name in secrets and not setting.required,
            ),
            shows_name=True,
            suggestions=choices if setting.type is SettingType.SOURCE else (),
            warning=warnings.get(name, ""),
        )
        for setting in declared
        for name in _names_of_setting_or_family_members(setting, values)
    ]


def setting_warnings_of_source(
    source: Source, values: Mapping[str, str]
) -> tuple[SettingError, ...]:
    """Return the warnings about settings of a source with these values."""
    connector = connectors_by_slug().get(source.connector)
    if connector is None:
        return ()
    return find_setting_warnings(connector, values, own_slug=source.slug)


def new_family_entries(
    source: Source,
    *,
    entered: Mapping[str, str] | None = None,
    errors: Sequence[SettingError] = (),
) -> list[NewFamilyEntry]:
    """Return the inputs for a new entry of each family, with an entry that has an error."""
    sentences = {error.name: error.sentence for error in errors}
    entries = []
    for setting in declared_settings_of_source(source):
        if not setting.is_family:
            continue
        entry = NewFamilyEntry(setting)
        id_, value = ((entered or {}).get(n, "") for n in (entry.id_input, entry.value_input))
        error = sentences.get(entry.id_input) or sentences.get(setting.family_prefix + id_, "")
        entries.append(NewFamilyEntry(setting, id_, value, error) if error else entry)
    return entries


def changed_settings(source: Source, posted: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that differ from the stored ones; a blank secret is unchanged."""
    changes: dict[str, str] = {}
    for field in setting_fields(source, entered=_posted_family_values(source, posted)):
        text = posted.get(field.name, "").strip().replace("\r\n", "\n")
        stored = str(source.config_or_empty_if_invalid.get(field.name, ""))
        if field.is_secret and field.is_stored and not text:
            if posted.get(REMOVE_SECRET + field.name):
                changes[field.name] = ""
        elif field.name in posted and text != stored and (text or not field.is_secret):
            changes[field.name] = text
    return changes


def new_entry_errors(source: Source, posted: Mapping[str, str]) -> list[SettingError]:
    """Return an error for each new entry that has only an id or only a value, or exists."""
    errors = []
    for entry in new_family_entries(source):
        id_, value = (posted.get(n, "").strip() for n in (entry.id_input, entry.value_input))
        if bool(id_) is not bool(value):
            errors.append(SettingError(entry.id_input, "Enter both the id and the value."))
        elif id_ and entry.setting.family_prefix + id_ in source.config_or_empty_if_invalid:
            errors.append(SettingError(entry.id_input, f"There is an entry {id_[:60]!r} already."))
    return errors


def declared_settings_of_source(source: Source) -> Sequence[Setting]:
    """Return the declared settings; without a connector: none."""
    connector = connectors_by_slug().get(source.connector)
    stored = source.config_or_empty_if_invalid
    return connector_and_common_settings(connector, stored) if connector else ()


def _names_of_stored_secrets(source: Source) -> frozenset[str]:
    try:
        return frozenset(secret_setting_values_by_name(decrypt_secrets(source.sealed_secrets)))
    except UnreadableSecrets:
        return frozenset()


def _names_of_setting_or_family_members(setting: Setting, values: Mapping[str, str]) -> list[str]:
    """The name of a setting, or the names that a family has values for."""
    if not setting.is_family:
        return [setting.name]
    prefix = setting.family_prefix
    return sorted(name for name in values if name.startswith(prefix) and name != prefix)


def _posted_family_values(source: Source, posted: Mapping[str, str]) -> dict[str, str]:
    prefixes = [s.family_prefix for s in declared_settings_of_source(source) if s.is_family]
    return {name: text for name, text in posted.items() if name.startswith(tuple(prefixes))}


def merge_new_family_entries_into_posted(
    source: Source, posted: Mapping[str, str]
) -> dict[str, str]:
    """Return the posted values with each new entry under the name of its setting."""
    added = {}
    for entry in new_family_entries(source):
        if id_ := posted.get(entry.id_input, "").strip():
            added[entry.setting.family_prefix + id_] = posted.get(entry.value_input, "")
    return {**posted, **added}
