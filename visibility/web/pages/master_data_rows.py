"""One master data row: edit with a preview of the effect, history, and restore."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages as notes
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.master_data import (
    affected_orders,
    customer_parents_and_orders,
    write_and_restore_rows,
)
from visibility.master_data.cell_conversion import InvalidCell, MasterColumn
from visibility.master_data.change_author_and_origin import ChangeContext
from visibility.master_data.status_terms import STATUS_CHOICES
from visibility.master_data.tables import TABLES, MasterRowToWrite, MasterTable
from visibility.master_data.write_and_restore_rows import (
    OverlappingRows,
    RowWriteCountsAndChangeIds,
    StaleVersion,
)
from visibility.models import MasterChange, Source
from visibility.models.master import Customer, TermKind, Versioned
from visibility.pipeline import job_functions
from visibility.screens.mappings import labels_and_sentences, term_and_row_queries
from visibility.screens.mappings.save_conflicts import load_save_conflict
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.web.permissions import Permission, has_permission, require_permission

MAX_ID = 2**63 - 1


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.MAPPINGS_EDIT)
def new_row_page(request: HttpRequest, code: str) -> HttpResponse:
    """The form for a new row."""
    table = get_table_or_404(code)
    if request.method == "POST":
        return _save_or_preview(request, table, None)
    return _render_form(request, table, None, cells=request.GET)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.MAPPINGS_SEE)
def row_page(request: HttpRequest, code: str, row_id: int) -> HttpResponse:
    """A row with its history, and the edit form for users with permission."""
    table = get_table_or_404(code)
    row = table.model._base_manager.filter(pk=min(row_id, MAX_ID)).first()
    if row is None and not term_and_row_queries.list_row_changes(table, min(row_id, MAX_ID)):
        raise Http404
    if request.method == "POST":
        edited: HttpResponse = _delete_or_edit_row(request, table, row, row_id)
        return edited
    return _render_form(
        request, table, row, row_id=row_id, cells=table.format_cells(row) if row else {}
    )


@require_permission(Permission.MAPPINGS_EDIT)
def _delete_or_edit_row(
    request: HttpRequest, table: MasterTable, row: Versioned | None, row_id: int
) -> HttpResponse:
    if row is None:
        raise Http404
    if request.POST.get("act") == "remove":
        write_and_restore_rows.delete_row_and_record_history(
            table, row_id, context=change_context_of_request(request)
        )
        _nudge_workers()
        notes.success(request, "Deleted. You can restore the row from its history.")
        return HttpResponseRedirect(f"/mappings/{table.code}/{row_id}")
    return _save_or_preview(request, table, row)


@require_POST
@require_permission(Permission.MAPPINGS_EDIT)
def restore_version(request: HttpRequest, code: str, row_id: int, change_id: int) -> HttpResponse:
    """Restore an earlier version of a row."""
    table = get_table_or_404(code)
    changes = MasterChange.objects.filter(table=code, row=min(row_id, MAX_ID))
    change = changes.filter(pk=min(change_id, MAX_ID)).first()
    if change is None:
        raise Http404
    address = f"/mappings/{code}/{row_id}"
    try:
        done = write_and_restore_rows.restore_row_version(
            table, change, context=change_context_of_request(request)
        )
    except (OverlappingRows, InvalidCell, StaleVersion) as error:
        notes.error(request, f"Not restored: {error}")
        return HttpResponseRedirect(address)
    _nudge_workers()
    notes.success(
        request,
        f"Restored version {change.version}.{labels_and_sentences.reprocessed_suffix(done.orders)}",
    )
    if done.added:
        address = f"/mappings/{code}/{MasterChange.objects.get(pk=done.changes[-1]).row}"
    return HttpResponseRedirect(address)


def get_table_or_404(code: str) -> MasterTable:
    """The table with this code. Raises Http404."""
    if code not in TABLES:
        raise Http404(code)
    return TABLES[code]


def change_context_of_request(request: HttpRequest) -> ChangeContext:
    """The author of a change on a page."""
    assert isinstance(request.user, User)
    return ChangeContext(request.user, "page", database_now())


def strip_nul_and_limit_length(value: str) -> str:
    """Trim a text and remove NUL characters, which PostgreSQL does not accept."""
    return value.replace("\0", "").strip()[:250]


def _save_or_preview(
    request: HttpRequest, table: MasterTable, existing: Versioned | None
) -> HttpResponse:
    """Show the effect of the entered values, or save them."""
    cells = {c.name: request.POST.get(c.name, "") for c in table.columns}
    try:
        row = table.parse_row_or_raise_invalid_cell(cells)
        write_and_restore_rows.check_sources_and_calendars_exist(table, [row])
        if request.POST.get("act") != "save":
            _check_version(request, existing)
            return _render_form(request, table, existing, cells=cells, row=row)
        done = _insert_or_update_row(request, table, existing, row)
    except StaleVersion as error:
        stored = table.model._base_manager.filter(pk=existing.pk).first() if existing else None
        return _render_form(
            request, table, stored or existing, cells=cells, error=str(error), is_conflict=True
        )
    except (InvalidCell, OverlappingRows) as error:
        return _render_form(request, table, existing, cells=cells, error=str(error))
    _nudge_workers()
    notes.success(request, f"Saved.{labels_and_sentences.reprocessed_suffix(done.orders)}")
    if existing is not None:
        return HttpResponseRedirect(f"/mappings/{table.code}/{existing.pk}")
    of_kind = f"?kind={row.values['kind']}" if table.code == "mapping" else ""
    return HttpResponseRedirect(f"/mappings/{table.code}{of_kind}")


def _check_version(request: HttpRequest, existing: Versioned | None) -> None:
    """Raises StaleVersion if the form shows an older version of the row."""
    version = parse_row_version(request.POST.get("version", ""))
    if existing is not None and version not in (None, existing.version):
        raise StaleVersion("This row was changed by someone else.")


def _insert_or_update_row(
    request: HttpRequest, table: MasterTable, existing: Versioned | None, row: MasterRowToWrite
) -> RowWriteCountsAndChangeIds:
    if existing is None:
        return write_and_restore_rows.write_rows(
            table, [row], context=change_context_of_request(request)
        )
    given = request.POST.get("version", "")
    version = parse_row_version(given)
    return write_and_restore_rows.update_existing_row(
        table, existing.pk, row, version=version, context=change_context_of_request(request)
    )


def _render_form(
    request: HttpRequest,
    table: MasterTable,
    existing: Versioned | None,
    *,
    cells: Any,
    row_id: int = 0,
    row: MasterRowToWrite | None = None,
    error: str = "",
    is_conflict: bool = False,
) -> HttpResponse:
    now = database_now()
    past = (
        term_and_row_queries.list_row_changes(table, existing.pk if existing else row_id)
        if existing or row_id
        else []
    )
    before = [affected_orders.stored_row(table, existing)] if existing and row else []
    preview = (
        affected_orders.predict_affected_orders_and_messages(table, [row], before=before)
        if row
        else None
    )
    kind = cells.get("kind", "item") if table.code == "mapping" else table.code
    context = {
        "table": table,
        "kind": kind if kind in labels_and_sentences.KIND_LABELS else "item",
        "existing": existing,
        "row_id": row_id,
        "name": " ".join(filter(None, (cells.get(name, "") for name in _row_title_columns(table)))),
        "fields": [
            (c, cells.get(c.name, ""), _options_of_field(table, c, kind)) for c in table.columns
        ],
        "sources": Source.objects.order_by("slug").values_list("slug", flat=True)[:500],
        "effect": preview,
        "effect_sentence": preview
        and labels_and_sentences.messages_and_orders_to_reprocess_sentence(
            preview.orders, preview.messages, preview.first_at, preview.last_at
        ),
        "error": error,
        "conflict": load_save_conflict(table, existing, cells, now, url=request.path)
        if is_conflict and existing
        else None,
        "customer": _customer_parents_and_order_count_context(existing, now)
        if isinstance(existing, Customer)
        else None,
        "history": [_change_entry(table, change, now) for change in past],
        "may_edit": has_permission(request.user, Permission.MAPPINGS_EDIT),
    }
    return render(request, "mappings/row.html", context, status=400 if error else 200)


def _customer_parents_and_order_count_context(customer: Customer, now: datetime) -> dict[str, Any]:
    """The parents of a customer, and its orders with those of the customers below it."""
    return {
        "parents": customer_parents_and_orders.ancestors_at_nearest_valid_time(customer, now),
        "orders": customer_parents_and_orders.count_orders_with_branches(customer.number),
    }


def _options_of_field(
    table: MasterTable, column: MasterColumn, kind: str
) -> Sequence[tuple[str, str]]:
    """(value, label) of the values that a field can have; empty for free text."""
    if table.code == "mapping" and column.name == "canonical" and kind == TermKind.STATUS:
        return STATUS_CHOICES
    return [(choice, choice) for choice in column.choices]


def _row_title_columns(table: MasterTable) -> tuple[str, ...]:
    """The columns that name a row for people."""
    return ("external",) if table.code == "mapping" else table.key_columns


def _change_entry(table: MasterTable, change: MasterChange, now: Any) -> dict[str, Any]:
    """One change with the old and new values of its columns."""
    before = table.format_cells(change.before) if change.before else {}
    after = table.format_cells(change.after) if change.after else {}
    differs = [
        (column.title, before.get(column.name, ""), after.get(column.name, ""))
        for column in table.columns
        if before.get(column.name, "") != after.get(column.name, "")
    ]
    what = labels_and_sentences.ACTION_LABELS.get(change.action, change.action)
    return {
        "change": change,
        "what": what,
        "differs": differs,
        "at": displayed_time(change.at, now),
    }


def _nudge_workers() -> None:
    """Wake the workers that reprocess the affected orders."""
    job_functions.ask_worker_to_run_job_now("refold")
    job_functions.ask_worker_to_run_job_now("import_master_data")


urlpatterns = [
    path("mappings/<slug:code>/new", new_row_page, name="mapping-new"),
    path("mappings/<slug:code>/<int:row_id>", row_page, name="mapping-row"),
    path(
        "mappings/<slug:code>/<int:row_id>/back/<int:change_id>",
        restore_version,
        name="mapping-back",
    ),
]
