"""Set-based writes of master data rows, with a history entry for every change."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import IntegrityError, connection, transaction
from psycopg.errors import ExclusionViolation

from visibility.master_data import affected_orders
from visibility.master_data.cell_conversion import InvalidCell
from visibility.master_data.change_author_and_origin import ChangeContext
from visibility.master_data.tables import MasterRowToWrite, MasterTable
from visibility.master_data.write_with_history_sql import (
    DELETE_ROW,
    END_ROWS,
    INSERT_ROWS,
    UPDATE_ROWS,
    write_rows_and_return_history_ids,
)
from visibility.models.audit import append_audit_entry
from visibility.models.master import MasterChange, WatchedVocabulary
from visibility.models.rules_clocks_and_calendars import WorkCalendar
from visibility.models.sources_and_messages import Source

GIVEN_ROWS = "SELECT n, values FROM jsonb_to_recordset(%(rows)s::jsonb) AS g (n int, values jsonb)"


class OverlappingRows(ValueError):
    """Two rows with the same key would be valid at the same time."""


class StaleVersion(ValueError):
    """The row was changed by someone else in the meantime."""


@dataclass(frozen=True, slots=True)
class RowWriteCountsAndChangeIds:
    """Number of rows added, changed (including ended ones) and unchanged."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    changes: Sequence[int] = ()
    # Orders enqueued for refolding.
    orders: int = 0


def write_rows(
    table: MasterTable, rows: Sequence[MasterRowToWrite], *, context: ChangeContext
) -> RowWriteCountsAndChangeIds:
    """Add or update all rows or none. Raises OverlappingRows, InvalidCell."""
    if not rows:
        return RowWriteCountsAndChangeIds()
    check_sources_and_calendars_exist(table, rows)
    given = [{"n": n, "values": row.values} for n, row in enumerate(rows)]
    with overlap_checked_transaction(table):
        result = write_rows_from_select(
            table, GIVEN_ROWS, {"rows": _to_json(given)}, context=context, count=len(rows)
        )
        counts = {"added": result.added, "changed": result.changed}
        orders = _propagate_and_audit_changes(table, result.changes, context, counts)
    return dataclasses.replace(result, orders=orders)


def update_existing_row(
    table: MasterTable,
    row_id: int,
    row: MasterRowToWrite,
    *,
    version: int | None,
    context: ChangeContext,
) -> RowWriteCountsAndChangeIds:
    """Replace one row, including its key and validity.

    Raises OverlappingRows, StaleVersion, InvalidCell.
    """
    check_sources_and_calendars_exist(table, [row])
    given = _to_json([{"n": 0, "values": {**row.values, "id": row_id}}])
    with overlap_checked_transaction(table):
        locked = table.model._base_manager.select_for_update().filter(pk=row_id)
        current_version = locked.values_list("version", flat=True).first()
        if current_version is None or version not in (None, current_version):
            raise StaleVersion("This row was changed by someone else. Reload it and try again.")
        changes = write_rows_and_return_history_ids(
            UPDATE_ROWS, table, GIVEN_ROWS, {"rows": given}, context=context, match="t.id = f.id"
        )
        orders = _propagate_and_audit_changes(
            table, changes, context, {"row": row_id, "changed": len(changes)}
        )
    changed = len(changes)
    return RowWriteCountsAndChangeIds(
        changed=changed, unchanged=1 - changed, changes=changes, orders=orders
    )


def delete_row_and_record_history(
    table: MasterTable, row_id: int, *, context: ChangeContext
) -> bool:
    """Delete a row and retain its history. False if there is none."""
    with overlap_checked_transaction(table):
        changes = write_rows_and_return_history_ids(
            DELETE_ROW, table, "", {"id": row_id}, context=context
        )
        if changes:
            _propagate_and_audit_changes(table, changes, context, {"row": row_id, "removed": 1})
    return bool(changes)


def restore_row_version(
    table: MasterTable, change: MasterChange, *, context: ChangeContext
) -> RowWriteCountsAndChangeIds:
    """Restore the row as it was after this change, or before it if it was a deletion.

    Raises OverlappingRows if another row is valid at that time now.
    """
    row = table.parse_row_or_raise_invalid_cell(
        table.format_cells(change.after or change.before or {})
    )
    context = ChangeContext(context.user, f"restored version {change.version}", context.now)
    if table.model._base_manager.filter(pk=change.row).exists():
        return update_existing_row(table, change.row, row, version=None, context=context)
    return write_rows(table, [row], context=context)


def write_rows_from_select(
    table: MasterTable,
    source: str,
    parameters: dict[str, Any],
    *,
    context: ChangeContext,
    count: int,
) -> RowWriteCountsAndChangeIds:
    """Write the (n, values) rows of a statement in the caller's transaction, without checks."""
    ended = write_rows_and_return_history_ids(END_ROWS, table, source, parameters, context=context)
    changed = write_rows_and_return_history_ids(
        UPDATE_ROWS, table, source, parameters, context=context
    )
    added = write_rows_and_return_history_ids(
        INSERT_ROWS, table, source, parameters, context=context
    )
    unchanged = count - len(changed) - len(added)
    return RowWriteCountsAndChangeIds(
        len(added), len(changed) + len(ended), unchanged, [*ended, *changed, *added]
    )


def check_sources_and_calendars_exist(table: MasterTable, rows: Sequence[MasterRowToWrite]) -> None:
    """Raises InvalidCell if a row refers to an unknown source or calendar."""
    for code, name, model in (
        ("mapping", "source", Source),
        ("location", "calendar", WorkCalendar),
    ):
        referenced = {str(row.values[name]) for row in rows} - {""} if table.code == code else set()
        known = model._base_manager.values_list("slug" if code == "mapping" else "code", flat=True)
        unknown = sorted(referenced - set(known)) if referenced else []
        if unknown:
            raise InvalidCell(f"unknown {name} {unknown[0]!r}")


def watch_vocabularies(table: MasterTable, rows: Sequence[dict[str, Any]]) -> None:
    """Watch the vocabularies that these rows translate."""
    pairs = {table.vocabulary_kind_and_source(row) for row in rows}
    if table.code == "unit":
        pairs.add(("item", ""))
    vocabularies = [WatchedVocabulary(kind=k, source=s) for k, s in pairs if k != "tax"]
    WatchedVocabulary.objects.bulk_create(vocabularies, ignore_conflicts=True)


def _propagate_and_audit_changes(
    table: MasterTable, changes: Sequence[int], context: ChangeContext, detail: dict[str, Any]
) -> int:
    """After changes: watch vocabularies, enqueue orders, write the audit log; the order count."""
    if not changes:
        return 0
    history = MasterChange.objects.filter(pk__in=changes)
    images = history.values_list("before", "after")
    watch_vocabularies(table, [image for pair in images for image in pair if image])
    orders = affected_orders.enqueue_affected_orders(table, changes)
    append_audit_entry(
        f"master.{table.code}",
        user=context.user,
        object=f"{table.code} {history.values_list('row', flat=True)[0]}",
        detail={**detail, "origin": context.origin, "orders": orders},
        now=context.now,
    )
    return orders


@contextmanager
def overlap_checked_transaction(table: MasterTable) -> Iterator[None]:
    """A transaction that checks at its end that validities do not overlap.

    Raises OverlappingRows.
    """
    name = f"{table.model._meta.model_name}_no_overlap"
    try:
        with transaction.atomic():
            yield
            with connection.cursor() as cursor:
                cursor.execute(f"SET CONSTRAINTS {name} IMMEDIATE")
                cursor.execute(f"SET CONSTRAINTS {name} DEFERRED")
    except IntegrityError as error:
        if isinstance(error.__cause__, ExclusionViolation):
            raise OverlappingRows(
                f"Another {table.singular} with the same key is valid at the same time."
            ) from error
        raise


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()
