"""The settings that say when the batches of a source are expected, and what they contain."""

import re
from collections.abc import Mapping
from datetime import time, timedelta

from connectors.sdk.batch_contents import check_count_location, check_number_location
from connectors.sdk.parse_setting_values import parse_duration
from connectors.sdk.settings import Setting, SettingType

PREFIX = "batch_"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_TIMES = 24
MIN_INTERVAL, MAX_INTERVAL = timedelta(minutes=15), timedelta(days=31)
MAX_TOLERANCE = timedelta(days=7)
CONSECUTIVE, INCREASING = "consecutive", "increasing"


def parse_times(text: str) -> tuple[time, ...]:
    """Parse `06:00, 18:30`, in order. Raises ValueError."""
    times = set()
    for entry in (piece.strip() for piece in text.split(",")):
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", entry):
            raise ValueError(f"{entry[:40]!r} is not a time such as 06:00.")
        times.add(time.fromisoformat(entry))
    if len(times) > MAX_TIMES:
        raise ValueError(f"Enter at most {MAX_TIMES} times.")
    return tuple(sorted(times))


def parse_days(text: str) -> frozenset[int]:
    """Parse `mon-fri, sun` as numbers of weekdays; Monday is 0. Raises ValueError."""
    days: set[int] = set()
    for entry in (piece.strip().lower() for piece in text.split(",")):
        first, _, last = entry.partition("-")
        last = last or first
        if first not in DAYS or last not in DAYS:
            raise ValueError(
                f"{entry[:40]!r} is not a day such as mon, or a range such as mon-fri."
            )
        start, count = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7
        days |= {(start + n) % 7 for n in range(count + 1)}
    return frozenset(days)


def check_interval(text: str) -> None:
    """Raise ValueError for an interval that is too short or too long."""
    if not MIN_INTERVAL <= parse_duration(text) <= MAX_INTERVAL:
        raise ValueError(f"{text[:40]} is not between 15 min and {MAX_INTERVAL.days} days.")


def check_tolerance(text: str) -> None:
    """Raise ValueError for a tolerance that is too long."""
    if parse_duration(text) > MAX_TOLERANCE:
        raise ValueError(f"{text[:40]} is longer than {MAX_TOLERANCE.days} days.")


CALENDAR = Setting(
    "batch_calendar",
    "The working calendar, such as default: no batch is expected on its holidays and closed days. "
    "With an interval, only its working hours count.",
    label="Calendar of batches",
)
BATCH_SETTINGS = (
    Setting(
        "batch_at",
        "The local times at which a batch (a file, or another message) is expected, such as "
        "06:00 or 06:00, 18:00. An alert opens if none has arrived by then.",
        check=parse_times,
        label="Batches expected at",
    ),
    Setting(
        "batch_every",
        "Instead of times: a batch is expected at the latest so long after the one before, such "
        "as 4 h.",
        SettingType.DURATION,
        check=check_interval,
        label="Batches expected every",
    ),
    Setting(
        "batch_days",
        "The days on which batches are expected, such as mon-fri or mon, thu. If it is not set: "
        "every day, or the working days of the calendar.",
        check=parse_days,
        label="Days of batches",
    ),
    CALENDAR,
    Setting(
        "batch_zone",
        "The IANA time zone of these times. If it is not set: that of the calendar, or else of "
        "the organization.",
        SettingType.ZONE,
        label="Time zone of batches",
    ),
    Setting(
        "batch_tolerance",
        "How much later than expected a batch may arrive. If it is not set: 30 min.",
        SettingType.DURATION,
        check=check_tolerance,
        label="Tolerance for late batches",
    ),
    Setting(
        "batch_least_rows",
        "A batch with fewer records (rows, documents) opens an alert.",
        SettingType.INTEGER,
        minimum=1,
        label="Least records of a batch",
    ),
    Setting(
        "batch_least_share",
        "The same with a percentage of the usual number: the median of the ten batches before.",
        SettingType.INTEGER,
        minimum=1,
        maximum=100,
        label="Least share of the usual records",
    ),
    Setting(
        "batch_number",
        "Where the number of a batch is: SHIP_{number}.csv or SHIP_*_{number}.csv in the name of "
        "its file; row HDR 2 for the second field, or row HDR 5-12 for these characters, of the "
        "row that begins with HDR; field batch.id in JSON or XML; interchange for X12 and EDIFACT.",
        check=check_number_location,
        label="Number of a batch",
    ),
    Setting(
        "batch_numbering",
        "Whether each number is the one before plus one, so that a missing number opens an alert, "
        "or only greater. If it is not set: consecutive.",
        SettingType.CHOICE,
        choices=(CONSECUTIVE, INCREASING),
        label="Numbers of batches are",
    ),
    Setting(
        "batch_count",
        "Where a batch declares how many records it has, such as row TRL 2 or field batch.count. "
        "The counts of X12 and EDIFACT envelopes are compared in any case.",
        check=check_count_location,
        label="Declared count of a batch",
    ),
)
BATCH_SETTING_NAMES = frozenset(setting.name for setting in BATCH_SETTINGS)
SCHEDULE_NAMES = ("batch_at", "batch_every", "batch_days", "batch_calendar", "batch_zone")
READING_NAMES = ("batch_number", "batch_count")
# What a manifest can say in `expect`: a calendar belongs to an installation.
EXPECT_NAMES = tuple(
    setting.name.removeprefix(PREFIX) for setting in BATCH_SETTINGS if setting is not CALENDAR
)


def find_schedule_error(config: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the setting and the sentence if settings do not go together."""
    names = {name for name, value in config.items() if str(value or "").strip()}
    if {"batch_at", "batch_every"} <= names:
        return "batch_every", "Enter either the times or the interval of batches, not both."
    if "batch_days" in names and "batch_every" in names:
        return "batch_days", "Days go with the times of batches, not with an interval."
    return None
