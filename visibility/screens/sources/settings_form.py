"""The settings of a source as a form, derived from the declarations of its connector."""

from collections.abc import Mapping, Sequence

from connectors.catalog import connectors_by_slug
from connectors.sdk.settings import Setting, SettingError
from visibility.ingest.check_source_settings import declared_settings
from visibility.ingest.file_drop import DROP_SETTING
from visibility.models.sources_and_messages import Source
from visibility.screens.setting_fields import SettingField, build_setting_field


def setting_fields(
    source: Source,
    *,
    entered: Mapping[str, str] | None = None,
    errors: Sequence[SettingError] = (),
) -> list[SettingField]:
    """Return the fields with their stored or entered values. Without a connector: none."""
    sentences = {error.name: error.sentence for error in errors}
    values = {name: str(text) for name, text in source.config_or_empty_if_invalid.items()} | dict(
        entered or {}
    )
    return [
        build_setting_field(setting, name, values.get(name, ""), sentences.get(name, ""))
        for setting in _settings_except_drop_folder(source)
        for name in _names_of_setting_or_family_members(setting, values)
    ]


def changed_settings(source: Source, posted: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that differ from the stored ones; a blank secret is unchanged."""
    changes: dict[str, str] = {}
    for field in setting_fields(source, entered=_entered_families(source, posted)):
        text = posted.get(field.name, "").strip()
        stored = str(source.config_or_empty_if_invalid.get(field.name, ""))
        if field.name in posted and text != stored and (text or not field.is_secret):
            changes[field.name] = text
    return changes


def _settings_except_drop_folder(source: Source) -> list[Setting]:
    """The drop folder is a path on the server: only people with access to the server set it."""
    connector = connectors_by_slug().get(source.connector)
    declared = declared_settings(connector) if connector else ()
    return [setting for setting in declared if setting.name != DROP_SETTING]


def _names_of_setting_or_family_members(setting: Setting, values: Mapping[str, str]) -> list[str]:
    """The name of a setting, or the names that a family has values for."""
    if not setting.is_family:
        return [setting.name]
    prefix = setting.family_prefix
    return sorted(name for name in values if name.startswith(prefix) and name != prefix)


def _entered_families(source: Source, posted: Mapping[str, str]) -> dict[str, str]:
    prefixes = [s.family_prefix for s in _settings_except_drop_folder(source) if s.is_family]
    return {name: text for name, text in posted.items() if name.startswith(tuple(prefixes))}
