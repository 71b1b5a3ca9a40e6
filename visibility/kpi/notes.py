"""Notes on the charts of KPIs: add, change, remove and list them, each with its audit entry."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from visibility.kpi.filters_and_values import DaySpan
from visibility.kpi.registry import kpi_registry
from visibility.models.audit import append_audit_entry
from visibility.models.kpi_notes import KpiNote

MAX_TEXT = 500
ALL_KPIS = ""
FIRST_YEAR, LAST_YEAR = 2000, 2200


class InvalidKpiNote(ValueError):
    """Fields of a note are invalid: a sentence for each."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = errors


class NotAuthorOfKpiNote(Exception):
    """Only its author or an administrator changes a note."""


class KpiNoteChanged(Exception):
    """Someone else has changed the note since it was read."""


@dataclass(frozen=True, slots=True)
class KpiNoteEditor:
    """Who changes a note."""

    user: User
    is_administrator: bool

    def may_change(self, note: KpiNote) -> bool:
        """Whether the person wrote it or is an administrator."""
        return self.is_administrator or note.author_id == self.user.pk


@dataclass(frozen=True, slots=True)
class KpiNoteValues:
    """The fields of a note. `kpi` is the code of a KPI, or ALL_KPIS."""

    kpi: str
    start: date
    end: date
    text: str


def notes_of_kpis(codes: Collection[str], span: DaySpan | None = None) -> QuerySet[KpiNote]:
    """The notes on these KPIs and on all KPIs, the latest first; with `span` those within it."""
    notes = KpiNote.objects.filter(kpi__in=[ALL_KPIS, *codes])
    if span is not None:
        notes = notes.filter(start__lte=span.end, end__gte=span.start)
    return notes.select_related("author").order_by("-start", "-id")


def add_kpi_note(values: KpiNoteValues, *, editor: KpiNoteEditor, now: datetime) -> KpiNote:
    """Add a note. Raises InvalidKpiNote."""
    values = _checked(values)
    with transaction.atomic():
        note = KpiNote.objects.create(
            author=editor.user, created_at=now, changed_at=now, **_columns(values)
        )
        _audit("kpi_note.added", note, _audit_detail(note), editor, now)
    return note


def change_kpi_note(
    note: KpiNote,
    values: KpiNoteValues,
    *,
    editor: KpiNoteEditor,
    now: datetime,
    version: int | None = None,
) -> KpiNote:
    """Change a note; with `version`, only if it has that version.

    Raises InvalidKpiNote, NotAuthorOfKpiNote, KpiNoteChanged, KpiNote.DoesNotExist.
    """
    values = _checked(values)
    with transaction.atomic():
        note = _lock(note.pk, editor)
        if version is not None and note.version != version:
            raise KpiNoteChanged
        before = _audit_detail(note)
        for name, value in _columns(values).items():
            setattr(note, name, value)
        note.changed_at, note.version = now, note.version + 1
        note.save(update_fields=["kpi", "start", "end", "text", "changed_at", "version"])
        detail = {"before": before, "after": _audit_detail(note)}
        _audit("kpi_note.changed", note, detail, editor, now)
    return note


def remove_kpi_note(note: KpiNote, *, editor: KpiNoteEditor, now: datetime) -> None:
    """Remove a note; the audit log has its text.

    Raises NotAuthorOfKpiNote, KpiNote.DoesNotExist.
    """
    with transaction.atomic():
        note = _lock(note.pk, editor)
        detail, number = _audit_detail(note), note.pk
        note.delete()
        _audit("kpi_note.removed", KpiNote(pk=number, kpi=note.kpi), detail, editor, now)


def _lock(number: int, editor: KpiNoteEditor) -> KpiNote:
    note = KpiNote.objects.select_for_update(of=("self",)).select_related("author").get(pk=number)
    if not editor.may_change(note):
        raise NotAuthorOfKpiNote(
            f"{note.author.get_username()} wrote this note. Only its author or an administrator "
            "can change it."
        )
    return note


def _checked(values: KpiNoteValues) -> KpiNoteValues:
    text, errors = " ".join(values.text.split()), {}
    if not text:
        errors["text"] = "Enter a note."
    elif len(text) > MAX_TEXT:
        errors["text"] = f"A note can have at most {MAX_TEXT} characters."
    for name, day in (("start", values.start), ("end", values.end)):
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            errors[name] = f"Enter a date from {FIRST_YEAR} to {LAST_YEAR}."
    if not errors and values.end < values.start:
        errors["end"] = "The last day is before the first day."
    if values.kpi != ALL_KPIS and values.kpi not in kpi_registry():
        errors["kpi"] = "There is no such KPI."
    if errors:
        raise InvalidKpiNote(errors)
    return KpiNoteValues(values.kpi, values.start, values.end, text)


def _columns(values: KpiNoteValues) -> dict[str, Any]:
    return {"kpi": values.kpi, "start": values.start, "end": values.end, "text": values.text}


def _audit_detail(note: KpiNote) -> dict[str, Any]:
    return {
        "kpi": note.kpi,
        "start": note.start.isoformat(),
        "end": note.end.isoformat(),
        "text": note.text,
    }


def _audit(
    action: str, note: KpiNote, detail: Mapping[str, Any], editor: KpiNoteEditor, now: datetime
) -> None:
    append_audit_entry(
        action, user=editor.user, object=f"KPI note {note.pk}", detail=detail, now=now
    )
