"""Check the settings of a source: those of its connector, and those that every source has."""

from collections.abc import Container, Mapping
from typing import Any

from connectors.catalog import connectors_by_slug
from connectors.sdk.batch_settings import BATCH_SETTINGS, find_schedule_error
from connectors.sdk.connector import Connector, SourceRole
from connectors.sdk.identifier_normalization import REUSE_SETTING, parse_reuse_intervals_by_scheme
from connectors.sdk.number_issuers import ISSUER_SETTING, parse_number_issuers
from connectors.sdk.parse_setting_values import check_slug
from connectors.sdk.record_links import (
    RECORD_LINK_PREFIX,
    check_linked_kind,
    check_record_link,
)
from connectors.sdk.settings import (
    Setting,
    SettingError,
    SettingType,
    parse_and_check_settings,
)
from visibility.ingest.file_drop import DROP_SETTING
from visibility.ingest.queue_settings import PREFIX as QUEUE_PREFIX
from visibility.ingest.queue_settings import find_queue_setting_errors, queue_settings
from visibility.ingest.sftp_settings import SFTP_SETTINGS, find_sftp_setting_errors
from visibility.models.master import TermKind
from visibility.models.sources_and_messages import Source
from visibility.sla import silence_limits
from visibility.sla.batch_schedules import find_calendar_error
from visibility.sla.poll_limits import POLL_SETTINGS
from visibility.sla.secret_ends import END_SETTINGS
from visibility.storage.load_events import REPLACES_SETTING

ROLE_SETTING = "role"


def _check_reuse_setting(text: str) -> None:
    try:
        parse_reuse_intervals_by_scheme(text)
    except ValueError as error:
        raise ValueError(f"{error}.") from None


def _check_governed_term_kinds(text: str) -> None:
    for kind in (entry.strip() for entry in text.split(",")):
        if kind not in TermKind.values:
            raise ValueError(f"{kind[:40]!r} is not one of {', '.join(TermKind.values)}.")


COMMON_SETTINGS = (
    Setting(
        ROLE_SETTING,
        "The role of the system, if it differs from the usual role of its connector.",
        SettingType.CHOICE,
        choices=tuple(role.value for role in SourceRole),
        label="Role",
    ),
    Setting(
        REUSE_SETTING,
        "Number ranges that the system reuses, such as order_number:365 (days).",
        check=_check_reuse_setting,
        label="Reused number ranges",
    ),
    Setting(
        ISSUER_SETTING,
        "Who issues numbers that the system sends, if not the system itself, such as "
        "invoice:erp shipment:wms.",
        check=parse_number_issuers,
        label="Issuers of numbers",
    ),
    Setting(
        "governed",
        "Kinds of terms that must be mapped, such as item,location.",
        check=_check_governed_term_kinds,
        label="Terms that must be mapped",
    ),
    Setting(
        silence_limits.SILENCE_SETTING,
        "How long the source may send nothing before it counts as silent. If it is not set: 1 h, "
        "26 h if the source reports in batches, or never if it has a schedule of batches.",
        SettingType.DURATION_OR_NEVER,
        check=silence_limits.check_silence_limit,
        label="Silence limit",
    ),
    Setting(
        f"{silence_limits.EVENT_TYPE_SETTING_PREFIX}<event type>",
        "How long no event of this type may come, such as shipment.confirmed, even if the source "
        "sends others.",
        SettingType.DURATION_OR_NEVER,
        check=silence_limits.check_silence_limit,
        check_id=silence_limits.check_event_type,
        label="Silence limit of an event type",
    ),
    Setting(
        silence_limits.BATCH_SETTING,
        "Whether the source reports from time to time, such as with a daily file. Alerts about "
        "missing steps then wait for its next report. If it is not set: yes for a drop folder.",
        SettingType.BOOLEAN,
        label="Reports in batches",
    ),
    Setting(
        silence_limits.WAREHOUSES_SETTING,
        "The warehouses whose orders this source reports on, such as Dallas,Austin. Needed if "
        "several sources have the same role.",
        label="Warehouses",
    ),
    Setting(
        REPLACES_SETTING,
        "The source of the system that this one replaced, such as old_erp. Of an order that both "
        "report, the old one's figures count until this one reports them.",
        SettingType.SOURCE,
        check=check_slug,
        label="Replaces the source",
    ),
    Setting(
        f"{RECORD_LINK_PREFIX}<kind of record>",
        "The URL of a record in this system, such as https://erp.example.com/orders/{number} for "
        "the id order, or shipment, invoice, return. {source_id} is the technical id. Order pages "
        "then link the numbers that this system issues.",
        check=check_record_link,
        check_id=check_linked_kind,
        label="Link to a record",
    ),
)
DROP_FOLDER = Setting(
    DROP_SETTING, "The folder in which files of this source are dropped.", label="Drop folder"
)
# Every source could have these settings in earlier versions. Stored values stay until somebody
# removes them, but only connectors that declare the setting read it.
UNUSED_SETTINGS = (
    Setting(
        "zone",
        "This system sends its times with an offset, or its connector knows their time zone. Leave "
        "it blank to remove it.",
        SettingType.ZONE,
        label="Time zone (not used)",
    ),
)


def connector_and_common_settings(
    connector: type[Connector], stored: Container[str] = ()
) -> tuple[Setting, ...]:
    """Return the settings that a source with this connector can have.

    `stored`: names of its stored settings; unused settings are among the result if they are stored.
    """
    names = {setting.name for setting in connector.settings}
    common = (
        *COMMON_SETTINGS,
        *(POLL_SETTINGS if connector.polls else ()),
        *END_SETTINGS,
        *BATCH_SETTINGS,
        *((DROP_FOLDER,) if connector.accepts_files else ()),
        *(queue_settings() if connector.accepts_webhooks else ()),
        *(SFTP_SETTINGS if connector.accepts_files and not connector.polls else ()),
        *(setting for setting in UNUSED_SETTINGS if setting.name in stored),
    )
    return (*connector.settings, *(s for s in common if s.name not in names))


def find_setting_errors(
    connector: type[Connector], config: Mapping[str, Any], *, stored: Container[str] = ()
) -> tuple[SettingError, ...]:
    """Return an error for each invalid, unknown or missing setting.

    `stored`: names of stored settings; those that are no longer used are not unknown.
    """
    if DROP_SETTING in config and not connector.accepts_files:
        sentence = f"{connector.title} does not accept files, so it cannot have a drop folder."
        return (SettingError(DROP_SETTING, sentence),)
    if not connector.accepts_webhooks and any(name.startswith(QUEUE_PREFIX) for name in config):
        name = next(name for name in config if name.startswith(QUEUE_PREFIX))
        sentence = f"{connector.title} is polled only, so it cannot receive from a queue."
        return (SettingError(name, sentence),)
    declared = connector_and_common_settings(connector, stored)
    errors = parse_and_check_settings(declared, config).errors
    known = {error.name for error in errors}
    errors += tuple(e for e in find_queue_setting_errors(config) if e.name not in known)
    conflict = find_schedule_error(config) or find_calendar_error(config)
    if conflict and conflict[0] not in known:
        errors += (SettingError(*conflict),)
    return errors or find_sftp_setting_errors(connector, config)


def secret_setting_names(connector: type[Connector]) -> frozenset[str]:
    """The names of the settings of a source that are stored encrypted."""
    return frozenset(s.name for s in connector_and_common_settings(connector) if s.is_secret)


def stored_setting_errors(source: Source) -> tuple[SettingError, ...]:
    """Return what is wrong with the stored settings of a source.

    A setting that was valid when it was entered can become invalid: the connector may have changed.
    """
    connector = connectors_by_slug().get(source.connector)
    if connector is None:
        sentence = f"There is no connector {source.connector!r}: its messages are rejected."
        return (SettingError("connector", sentence),)
    config = source.config_or_empty_if_invalid
    errors = find_setting_errors(connector, config, stored=config)
    secret_names = secret_setting_names(connector)
    errors = tuple(error for error in errors if error.name not in secret_names)
    if source.role in set(SourceRole):
        return errors
    sentence = f"{source.role[:40]!r} is not a role; the source counts as {SourceRole.OTHER.value}."
    return (*errors, SettingError(ROLE_SETTING, sentence))
