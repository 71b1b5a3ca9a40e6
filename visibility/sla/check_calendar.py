"""Check entered definitions of calendars, with a sentence for each invalid field."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from visibility.sla.calendar import DAYS
from visibility.sla.calendar_versions import DEFINITION_FIELDS, CalendarVersion

MAX_TITLE_LENGTH = 120
MAX_ENTRIES = 200
MAX_CUTOFFS = 100
MAX_SPANS = 6
MAX_NAME_LENGTH = 100
TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
YEARLY = re.compile(r"\d\d-\d\d")


class InvalidCalendarValues(ValueError):
    """Values are invalid: `errors` has a sentence per field, such as `hours.mon`."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__(" ".join(errors.values()))


def check_title(raw: object) -> str:
    """The title. Raises InvalidCalendarValues."""
    title = raw.strip() if isinstance(raw, str) else ""
    if not title or len(title) > MAX_TITLE_LENGTH or "\0" in title:
        sentence = f"Enter a title of at most {MAX_TITLE_LENGTH} characters."
        raise InvalidCalendarValues({"title": sentence})
    return title


def check_definition(base: CalendarVersion, values: Mapping[str, Any]) -> CalendarVersion:
    """The definition with these values in place of those of `base`, in their stored form.

    `values`: fields of DEFINITION_FIELDS in the form of the model `WorkCalendar`. Raises
    InvalidCalendarValues.
    """
    errors: dict[str, str] = {}
    read: dict[str, Any] = {**base.definition()}
    for name in DEFINITION_FIELDS:
        if name in values:
            read[name] = READERS[name](values[name], name, errors)
    if errors:
        raise InvalidCalendarValues(errors)
    wanted = CalendarVersion(**read)
    invalid = wanted.calendar().errors_by_field()
    if invalid:
        raise InvalidCalendarValues(
            {_field_of(name, wanted): _sentence(text) for name, text in invalid.items()}
        )
    return wanted


def _field_of(name: str, version: CalendarVersion) -> str:
    """The name of the field that people entered: an exception has a position in its list."""
    if name == "country":
        return "holidays"
    group, _, day = name.partition(".")
    if group != "exceptions":
        return name
    return f"exceptions.{[entry['date'] for entry in version.exceptions].index(day)}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _read_text(raw: object, name: str, errors: dict[str, str]) -> str:
    if not isinstance(raw, str) or len(raw) > MAX_NAME_LENGTH or "\0" in raw:
        errors[name] = f"This must be a text of at most {MAX_NAME_LENGTH} characters."
        return ""
    return raw.strip()


def _read_code(raw: object, name: str, errors: dict[str, str]) -> str:
    return _read_text(raw, name, errors).upper()


def _read_week(raw: object, name: str, errors: dict[str, str]) -> dict[str, Any]:
    if not isinstance(raw, Mapping) or set(raw) - set(DAYS):
        errors[name] = f"The hours must be an object with the days {', '.join(DAYS)}."
        return {}
    week = {day: _read_spans(raw[day], f"{name}.{day}", errors) for day in DAYS if day in raw}
    return {day: spans for day, spans in week.items() if spans}


def _read_spans(raw: object, name: str, errors: dict[str, str]) -> list[list[str]]:
    if isinstance(raw, list | tuple) and len(raw) <= MAX_SPANS:
        spans = [_read_span(span) for span in raw]
        if None not in spans:
            return [span for span in spans if span]
    errors[name] = f"Enter up to {MAX_SPANS} spans such as 08:00-12:00, 13:00-17:00."
    return []


def _read_span(raw: object) -> list[str] | None:
    if not isinstance(raw, list | tuple) or len(raw) != 2:
        return None
    opens, closes = _clock_time(raw[0]), "24:00" if raw[1] == "24:00" else _clock_time(raw[1])
    return [opens, closes] if opens and closes else None


def _clock_time(raw: object) -> str:
    """`08:00` of `8:00`; empty if it is no time of a day."""
    match = TIME.fullmatch(raw.strip()) if isinstance(raw, str) else None
    return f"{int(match[1]):02}:{match[2]}" if match else ""


def _read_entries(
    raw: object,
    name: str,
    errors: dict[str, str],
    *,
    limit: int,
    read: Callable[[Mapping[str, Any], str, dict[str, str]], dict[str, Any]],
) -> list[dict[str, Any]]:
    if not isinstance(raw, list | tuple) or len(raw) > limit:
        errors[name] = f"This must be a list of at most {limit} entries."
        return []
    entries = []
    for number, entry in enumerate(raw):
        path = f"{name}.{number}"
        if isinstance(entry, Mapping):
            entries.append(read(entry, path, errors))
        else:
            errors[path] = "This entry must be an object."
    return entries


def _unknown_members(entry: Mapping[str, Any], known: Sequence[str]) -> str:
    unknown = sorted(set(map(str, entry)) - set(known))
    if not unknown:
        return ""
    return f"“{unknown[0][:40]}” is not a member; the members are {', '.join(known)}."


def _read_closed_day(entry: Mapping[str, Any], path: str, errors: dict[str, str]) -> dict[str, Any]:
    title = _read_text(entry.get("title", ""), path, errors)
    day = str(entry.get("day", ""))
    # 2000: February 29 is a day of some years.
    full = f"2000-{day}" if YEARLY.fullmatch(day) else day
    if sentence := _unknown_members(entry, ("day", "title")):
        errors[path] = sentence
    elif _date(full) is None:
        errors[path] = "Begin with a date such as 2026-12-24, or 12-24 for every year."
    return {"day": day, "title": title}


def _date(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None


def _read_exception(entry: Mapping[str, Any], path: str, errors: dict[str, str]) -> dict[str, Any]:
    title = _read_text(entry.get("title", ""), path, errors)
    day = str(entry.get("date", ""))
    if sentence := _unknown_members(entry, ("date", "hours", "title")):
        errors[path] = sentence
    elif _date(day) is None:
        errors[path] = "Begin with a date such as 2026-12-31, then “closed” or the hours."
    return {
        "date": day,
        "hours": _read_spans(entry.get("hours", []), path, errors),
        "title": title,
    }


def _read_exceptions(raw: object, name: str, errors: dict[str, str]) -> list[dict[str, Any]]:
    entries = _read_entries(raw, name, errors, limit=MAX_ENTRIES, read=_read_exception)
    for number, entry in enumerate(entries):
        if entry["date"] in [other["date"] for other in entries[:number]]:
            errors.setdefault(f"{name}.{number}", f"{entry['date']} is in the list twice.")
    return entries


def _read_cutoff(entry: Mapping[str, Any], path: str, errors: dict[str, str]) -> dict[str, Any]:
    names = {
        name: _read_text(entry.get(name, ""), f"{path}.{name}", errors)
        for name in ("warehouse", "carrier")
    }
    times = entry.get("times", {})
    if sentence := _unknown_members(entry, ("warehouse", "carrier", "times")):
        errors[path] = sentence
    if not isinstance(times, Mapping) or set(times) - set(DAYS):
        errors[path] = f"The times must be an object with the days {', '.join(DAYS)}."
        times = {}
    read = {}
    for day in DAYS:
        if times.get(day) not in (None, ""):
            read[day] = _clock_time(times[day])
            if not read[day]:
                errors[f"{path}.{day}"] = "Enter a time such as 17:00."
    if not read:
        errors.setdefault(path, "Enter the time of at least one weekday.")
    return {**names, "times": read}


def cutoff_pair(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Warehouse and carrier of a cut-off in upper case, as they are compared; empty for any."""
    return entry["warehouse"].upper(), entry["carrier"].upper()


def _read_cutoffs(raw: object, name: str, errors: dict[str, str]) -> list[dict[str, Any]]:
    entries = _read_entries(raw, name, errors, limit=MAX_CUTOFFS, read=_read_cutoff)
    pairs = [cutoff_pair(entry) for entry in entries]
    for number, pair in enumerate(pairs):
        if pair in pairs[:number]:
            sentence = "There is another cut-off of the same warehouse and carrier above."
            errors.setdefault(f"{name}.{number}", sentence)
    return entries


def check_effective_date(raw: object, *, today: date) -> date:
    """The date from which a change applies; without one, today. Raises InvalidCalendarValues."""
    if raw in (None, ""):
        return today
    day = raw if isinstance(raw, date) else _date(str(raw))
    latest = today + timedelta(days=730)
    if day is None or not today <= day <= latest:
        sentence = f"Enter a date from {today} to {latest}: days that have passed keep their hours."
        raise InvalidCalendarValues({"effective_from": sentence})
    return day


def _read_closed_days(raw: object, name: str, errors: dict[str, str]) -> list[dict[str, Any]]:
    return _read_entries(raw, name, errors, limit=MAX_ENTRIES, read=_read_closed_day)


READERS: Mapping[str, Callable[[object, str, dict[str, str]], Any]] = {
    "zone": _read_text,
    "hours": _read_week,
    "holidays": _read_code,
    "subdivision": _read_text,
    "closed_days": _read_closed_days,
    "exceptions": _read_exceptions,
    "cutoffs": _read_cutoffs,
}
