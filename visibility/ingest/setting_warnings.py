"""Settings of a source that are valid but have no effect, or name a source that does not exist."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk.connector import Connector
from connectors.sdk.number_issuers import ISSUER_SETTING, parse_number_issuers
from connectors.sdk.settings import SettingError, SettingType
from visibility.ingest.check_source_settings import UNUSED_SETTINGS
from visibility.models.sources_and_messages import Source

MAX_CHOICES = 200


def find_setting_warnings(
    connector: type[Connector], config: Mapping[str, Any], *, own_slug: str
) -> tuple[SettingError, ...]:
    """Return a warning for each setting that needs attention; defaults are looked at as well."""
    declared = {setting.name for setting in connector.settings}
    warnings = [
        SettingError(setting.name, "This setting is not used: this connector does not read it.")
        for setting in UNUSED_SETTINGS
        if setting.name in config and setting.name not in declared
    ]
    named = issuers_by_setting(connector, config)
    slugs = {slug for issuers in named.values() for slug in issuers} - {own_slug}
    if missing := slugs - set(Source.objects.filter(slug__in=slugs).values_list("slug", flat=True)):
        warnings += [
            SettingError(name, _missing_source_sentence(issuer, is_default=not config.get(name)))
            for name, issuers in named.items()
            for issuer in sorted(issuers & missing)
        ]
    return tuple(warnings)


def issuers_by_setting(
    connector: type[Connector], config: Mapping[str, Any]
) -> dict[str, frozenset[str]]:
    """Return the slugs of the sources that each setting names as issuers of numbers."""
    named = {}
    for setting in connector.settings:
        text = str(config.get(setting.name) or setting.default).strip()
        if setting.type is SettingType.SCHEME_AT_ISSUER:
            text = text.partition("@")[2]
        elif setting.type is not SettingType.SOURCE:
            continue
        if text:
            named[setting.name] = frozenset({text})
    try:
        issuers = parse_number_issuers(str(config.get(ISSUER_SETTING) or ""))
    except ValueError:
        return named
    return {**named, **({ISSUER_SETTING: frozenset(issuers.values())} if issuers else {})}


def source_choices() -> list[tuple[str, str]]:
    """(slug, title) of the sources that can issue numbers, by title."""
    rows = Source.objects.filter(archived_at=None).order_by("title", "slug")
    return list(rows.values_list("slug", "title")[:MAX_CHOICES])


def _missing_source_sentence(slug: str, *, is_default: bool) -> str:
    default = ", the default" if is_default else ""
    return (
        f"No source is named {slug[:60]}{default}. Choose the source that issues these numbers, "
        "or connect it under this name. Until then its orders are not matched."
    )
