"""Calendars as texts of a form, and back: one field a weekday, one line a closed day."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from visibility.sla.calendar import DAYS
from visibility.sla.calendar_versions import CalendarVersion

DAY_LABELS = dict(zip(DAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
TEXT_FIELDS = ("zone", "holidays", "subdivision")
# Rows for new cut-offs in the form.
EMPTY_ROWS = 2
HOURS = r"\d{1,2}:\d{2}\s*[-\u2013]\s*\d{1,2}:\d{2}"
EXCEPTION = re.compile(rf"(\S+)\s*(closed\b|{HOURS}(?:\s*,\s*{HOURS})*)?(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CutoffInputs:
    """A cut-off in the form: `times` has (day, label, text, error)."""

    number: int
    warehouse: str
    carrier: str
    times: Sequence[tuple[str, str, str, str]]
    error: str = ""


@dataclass(frozen=True, slots=True)
class CalendarForm:
    """The texts of the form. `hours`: (day, label, text, error) of each weekday."""

    title: str
    zone: str
    holidays: str
    subdivision: str
    hours: Sequence[tuple[str, str, str, str]]
    closed_days: str
    exceptions: str
    cutoffs: Sequence[CutoffInputs]
    effective_from: str
    errors: Mapping[str, str]


def form_of_version(version: CalendarVersion, title: str) -> CalendarForm:
    """The form of a stored definition."""
    values = version.definition() | {
        "hours": {day: spans_text(version.hours.get(day, ())) for day in DAYS},
        "closed_days": "\n".join(f"{e['day']} {e['title']}".strip() for e in version.closed_days),
        "exceptions": "\n".join(map(_exception_text, version.exceptions)),
    }
    return _build_form(values, title, str(version.starts_on or ""), {})


def entered_form(post: Mapping[str, str], errors: Mapping[str, str]) -> CalendarForm:
    """The form as it was entered, with the errors at their fields."""
    raw = values_of_form(post)
    values = raw | {
        "hours": {day: post.get(f"hours.{day}", "") for day in DAYS},
        "closed_days": post.get("closed_days", ""),
        "exceptions": post.get("exceptions", ""),
    }
    shown = dict(errors)
    for name in ("closed_days", "exceptions"):
        lines = _lines(post.get(name, ""))
        texts = [
            f"{lines[int(number)]}: {text}"
            for path, text in errors.items()
            if (number := path.removeprefix(f"{name}.")) != path and int(number) < len(lines)
        ]
        shown |= {name: " ".join(texts)} if texts else {}
    return _build_form(values, post.get("title", ""), post.get("effective_from", ""), shown)


def values_by_label(form: CalendarForm) -> dict[str, str]:
    """The values of the form, as people read them."""
    cutoffs = [
        f"{row.warehouse or 'any'} / {row.carrier or 'any'}: "
        + ", ".join(f"{label} {text}" for _, label, text, _ in row.times if text)
        for row in form.cutoffs
        if row.warehouse or row.carrier or any(text for _, _, text, _ in row.times)
    ]
    return {
        "Title": form.title,
        "Time zone": form.zone,
        **{f"Hours, {label}": text for _, label, text, _ in form.hours},
        "Public holidays": " ".join(filter(None, (form.holidays, form.subdivision))),
        "Closed days": form.closed_days,
        "Exceptions": form.exceptions,
        "Cut-offs": "\n".join(cutoffs),
    }


def values_of_form(post: Mapping[str, str]) -> dict[str, Any]:
    """The entered values in the form of the API; nothing is checked."""
    values: dict[str, Any] = {name: post.get(name, "").strip() for name in TEXT_FIELDS}
    values["hours"] = {day: parse_spans(post.get(f"hours.{day}", "")) for day in DAYS}
    values["closed_days"] = [
        {"day": day, "title": title.strip()}
        for day, _, title in (line.partition(" ") for line in _lines(post.get("closed_days", "")))
    ]
    values["exceptions"] = [_parse_exception(line) for line in _lines(post.get("exceptions", ""))]
    rows = [_parse_cutoff(post, number) for number in range(_row_count(post))]
    values["cutoffs"] = [row for row in rows if row["warehouse"] or row["carrier"] or row["times"]]
    return values


def spans_text(spans: Sequence[Sequence[str]]) -> str:
    """`08:00-12:00, 13:00-17:00`."""
    return ", ".join(f"{opens}-{closes}" for opens, closes in spans)


def parse_spans(text: str) -> list[list[str]]:
    """The spans of a text; a part that is no span stays as it is, for the check to refuse."""
    spans = [span.strip() for span in text.split(",") if span.strip()]
    return [[time.strip() for time in re.split("[-\u2013]", span)] for span in spans]


def week_text(hours: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """`Mon to Fri 08:00-17:00; Sat 08:00-12:00`."""
    groups: list[tuple[list[str], str]] = []
    for day, label in DAY_LABELS.items():
        text = spans_text(hours.get(day, ()))
        if groups and groups[-1][1] == text:
            groups[-1][0].append(label)
        else:
            groups.append(([label], text))
    texts = [
        f"{days[0]}{f' to {days[-1]}' if len(days) > 1 else ''} {text}"
        for days, text in groups
        if text
    ]
    return "; ".join(texts) or "closed"


def _build_form(
    values: Mapping[str, Any], title: str, effective_from: str, errors: Mapping[str, str]
) -> CalendarForm:
    blank = {"warehouse": "", "carrier": "", "times": {}}
    rows = [*values["cutoffs"], *[blank] * EMPTY_ROWS]
    return CalendarForm(
        title=title,
        **{name: values[name] for name in (*TEXT_FIELDS, "closed_days", "exceptions")},
        hours=[
            (day, label, values["hours"][day], errors.get(f"hours.{day}", ""))
            for day, label in DAY_LABELS.items()
        ],
        cutoffs=[_build_row(number, row, errors) for number, row in enumerate(rows)],
        effective_from=effective_from,
        errors=errors,
    )


def _build_row(number: int, row: Mapping[str, Any], errors: Mapping[str, str]) -> CutoffInputs:
    path = f"cutoffs.{number}"
    times = [
        (day, label, row["times"].get(day, ""), errors.get(f"{path}.{day}", ""))
        for day, label in DAY_LABELS.items()
    ]
    names = [errors.get(f"{path}.{name}", "") for name in ("warehouse", "carrier")]
    error = " ".join(filter(None, [errors.get(path, ""), *names, *(each[3] for each in times)]))
    return CutoffInputs(number, row["warehouse"], row["carrier"], times, error)


def _exception_text(entry: Mapping[str, Any]) -> str:
    hours = spans_text(entry["hours"]) or "closed"
    return f"{entry['date']} {hours} {entry['title']}".strip()


def _parse_exception(line: str) -> dict[str, Any]:
    match = EXCEPTION.match(line)
    day, hours, title = match.groups() if match else (line, None, "")
    if hours is None:  # neither closed nor hours: refused by the check
        return {"date": "", "hours": [], "title": ""}
    spans = [] if hours.lower() == "closed" else parse_spans(hours)
    return {"date": day, "hours": spans, "title": title.strip()}


def _parse_cutoff(post: Mapping[str, str], number: int) -> dict[str, Any]:
    prefix = f"cutoffs.{number}."
    times = {day: post.get(prefix + day, "").strip() for day in DAYS}
    return {
        "warehouse": post.get(prefix + "warehouse", "").strip(),
        "carrier": post.get(prefix + "carrier", "").strip(),
        "times": {day: text for day, text in times.items() if text},
    }


def _row_count(post: Mapping[str, str]) -> int:
    numbers = [name.split(".")[1] for name in post if name.startswith("cutoffs.")]
    return max((int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4), default=0)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\0", "").splitlines() if line.strip()]
