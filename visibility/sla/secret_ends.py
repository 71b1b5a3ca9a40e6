"""When secrets of a source end: dates that people enter, and lifetimes that systems report."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from connectors.sdk.settings import Setting, SettingType
from visibility.models.sources_and_messages import Source
from visibility.sla.secret_end import SecretEnd
from visibility.storage.organization import organization_time_zone

END_SETTING = "secret_ends"
END_PREFIX = "secret_ends."
WARN_BEFORE = timedelta(days=7)
END_SETTINGS = (
    Setting(
        END_SETTING,
        "The date on which the secret of this source ends at the system, such as 2027-03-01. An "
        "alert says so seven days before.",
        SettingType.DATE,
        label="End of the secret",
    ),
    Setting(
        f"{END_PREFIX}<setting>",
        "The same for a secret setting, such as refresh_token or client_secret.",
        SettingType.DATE,
        label="End of a secret setting",
    ),
)


def secret_ends_of_source(source: Source) -> tuple[SecretEnd, ...]:
    """Return the known ends, the first one first. A date that a person entered comes first."""
    ends: dict[str, datetime] = {}
    if isinstance(source.secret_ends, Mapping):
        for name, text in source.secret_ends.items():
            _add_if_valid(ends, name, text)
    for name, text in source.config_or_empty_if_invalid.items():
        if name == END_SETTING:
            _add_if_valid(ends, "", text)
        elif name.startswith(END_PREFIX):
            _add_if_valid(ends, name.removeprefix(END_PREFIX), text)
    return tuple(sorted((SecretEnd(*item) for item in ends.items()), key=lambda e: e.ends_at))


def ends_without_changed_secrets(source: Source, changed: Collection[str]) -> dict[str, str]:
    """Return the stored lifetimes but those of secrets that a person replaces."""
    stored = source.secret_ends if isinstance(source.secret_ends, dict) else {}
    return {name: text for name, text in stored.items() if name not in changed}


def describe_next_end(source: Source, now: datetime) -> str:
    """`Its refresh token ends on 2027-03-01: replace it`; empty if none ends within a week."""
    ends = secret_ends_of_source(source)
    if not ends or ends[0].ends_at > now + WARN_BEFORE:
        return ""
    day = f"{ends[0].ends_at.astimezone(ZoneInfo(organization_time_zone())):%Y-%m-%d}"
    verb = "ends on" if ends[0].ends_at > now else "ended on"
    return f"Its {ends[0].label} {verb} {day}: replace it"


def _add_if_valid(ends: dict[str, datetime], name: str, text: object) -> None:
    try:
        if len(str(text)) == len("2027-03-01"):
            zone = ZoneInfo(organization_time_zone())
            ends[name] = datetime.combine(date.fromisoformat(str(text)), time(), zone)
        else:
            moment = datetime.fromisoformat(str(text))
            ends[name] = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        return  # shown on the page of the source
