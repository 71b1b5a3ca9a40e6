"""Write master rows, set-based: added, changed, ended by what follows; each change is kept."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from psycopg.errors import ExclusionViolation

from visibility.master_data import impact
from visibility.master_data.cells import BadCell
from visibility.master_data.tables import Row, Table
from visibility.models.audit import record
from visibility.models.intake import Source
from visibility.models.master import MasterChange, NeverMap, Watch, same
from visibility.models.sla import WorkCalendar

GIVEN = "SELECT n, values FROM jsonb_to_recordset(%(rows)s::jsonb) AS g (n int, values jsonb)"
# A row is the one of its key that begins at the same moment.
MATCH = "t.key = f.key AND t.valid_from IS NOT DISTINCT FROM f.valid_from"
FRESH = """
WITH fresh AS MATERIALIZED (
    SELECT s.n, r.* FROM ({source}) AS s, jsonb_populate_record(NULL::{table}, s.values) AS r
)
"""
KEEP = """
INSERT INTO visibility_masterchange
    ("table", row, version, what, at, who_id, via, before, after)
SELECT %(code)s, done.id, done.version, {what}, %(now)s, %(who)s, %(via)s, {before}, {after}
"""
# What is open-ended and followed by a row that is, too, ends where that begins.
END = """
{fresh}, old AS (
    SELECT t.*, (
        SELECT min(f.valid_from) FROM fresh f WHERE f.key = t.key AND f.valid_to IS NULL
            AND (t.valid_from IS NULL OR f.valid_from > t.valid_from)
    ) AS ends
    FROM {table} t
    WHERE t.key IN (SELECT key FROM fresh WHERE valid_from IS NOT NULL) AND t.valid_to IS NULL
        AND NOT EXISTS (SELECT 1 FROM fresh f WHERE {match})
), done AS (
    UPDATE {table} t SET valid_to = old.ends, version = t.version + 1, changed_at = %(now)s,
        changed_by_id = %(who)s
    FROM old WHERE t.id = old.id AND old.ends IS NOT NULL RETURNING t.*
)
{keep} FROM done JOIN old ON old.id = done.id RETURNING id
"""
CHANGE = """
{fresh}, old AS (
    SELECT t.*, f.n FROM {table} t JOIN fresh f ON {match}
    WHERE ROW({told}) IS DISTINCT FROM ROW({said})
), done AS (
    UPDATE {table} t SET ({stored}) = ROW({said}), version = t.version + 1,
        changed_at = %(now)s, changed_by_id = %(who)s
    FROM fresh f JOIN old ON old.n = f.n WHERE t.id = old.id RETURNING t.*
)
{keep} FROM done JOIN old ON old.id = done.id RETURNING id
"""
ADD = """
{fresh}, done AS (
    INSERT INTO {table} ({stored}, version, changed_at, changed_by_id)
    SELECT {said}, 1, %(now)s, %(who)s FROM fresh f
    WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {match}) ORDER BY f.n RETURNING *
)
{keep} FROM done RETURNING id
"""
REMOVE = """
WITH done AS (DELETE FROM {table} WHERE id = %(id)s RETURNING *)
{keep} FROM done RETURNING id
"""
KEPT = {
    END: ("'ended'", "to_jsonb(old) - 'ends'", "to_jsonb(done)"),
    CHANGE: ("'changed'", "to_jsonb(old) - 'n'", "to_jsonb(done)"),
    ADD: ("'added'", "NULL", "to_jsonb(done)"),
    REMOVE: ("'removed'", "to_jsonb(done)", "NULL"),
}


class Overlap(ValueError):
    """Two rows of one name would hold at the same time; the text says so."""


class Stale(ValueError):
    """Somebody changed the row meanwhile."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, by which way, and when."""

    who: User | None
    via: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows were added, changed (those that were ended included), left alone."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    changes: Sequence[int] = ()
    # That are folded again.
    orders: int = 0


def write(table: Table, rows: Sequence[Row], *, by: Author) -> Written:
    """Add or change rows, all or nothing. Raises Overlap, BadCell."""
    if not rows:
        return Written()
    refer(table, rows)
    given = [{"n": n, "values": row.values} for n, row in enumerate(rows)]
    with checked(table):
        written = write_from(table, GIVEN, {"rows": _json(given)}, by=by, count=len(rows))
        told = {"added": written.added, "changed": written.changed}
        orders = _settle(table, written.changes, by, told)
    return dataclasses.replace(written, orders=orders)


def replace(table: Table, row_id: int, row: Row, *, version: int | None, by: Author) -> Written:
    """Change one row, its name and its time too. Raises Overlap, Stale, BadCell."""
    refer(table, [row])
    given = _json([{"n": 0, "values": {**row.values, "id": row_id}}])
    with checked(table):
        held = table.model._base_manager.select_for_update().filter(pk=row_id)
        known = held.values_list("version", flat=True).first()
        if known is None or version not in (None, known):
            raise Stale("Somebody changed this row meanwhile: look at it again.")
        changes = _run(CHANGE, table, GIVEN, {"rows": given}, by=by, match="t.id = f.id")
        orders = _settle(table, changes, by, {"row": row_id, "changed": len(changes)})
    changed = len(changes)
    return Written(changed=changed, unchanged=1 - changed, changes=changes, orders=orders)


def remove(table: Table, row_id: int, *, by: Author) -> bool:
    """Take a row away; its history stays. False where there is none."""
    with checked(table):
        changes = _run(REMOVE, table, "", {"id": row_id}, by=by)
        if changes:
            _settle(table, changes, by, {"row": row_id, "removed": 1})
    return bool(changes)


def roll_back(table: Table, change: MasterChange, *, by: Author) -> Written:
    """Make the row what it was after this change, or before it where it was removed.

    Raises Overlap where something else holds at that time now.
    """
    row = table.read(table.cells(change.after or change.before or {}))
    by = Author(by.who, f"back to version {change.version}", by.now)
    if table.model._base_manager.filter(pk=change.row).exists():
        return replace(table, change.row, row, version=None, by=by)
    return write(table, [row], by=by)


def never(kind: str, source: str, word: str, *, why: str, by: Author) -> None:
    """Decide that a word shall stay unknown: it is not listed any more."""
    with transaction.atomic():
        NeverMap.objects.update_or_create(
            table=kind,
            source=source,
            word=same(word),
            defaults={"why": why[:500], "decided_at": by.now, "decided_by": by.who},
        )
        _decided("never", kind, source, word, by)


def list_again(kind: str, source: str, word: str, *, by: Author) -> None:
    """Take such a decision back."""
    with transaction.atomic():
        found = NeverMap.objects.filter(table=kind, source=source, word=same(word))
        if found.delete()[0]:
            _decided("again", kind, source, word, by)


def _decided(what: str, kind: str, source: str, word: str, by: Author) -> None:
    detail = {"source": source, "word": word[:250]}
    record(f"master.{what}", who=by.who, object=kind, detail=detail, now=by.now)


def write_from(
    table: Table, source: str, parameters: dict[str, Any], *, by: Author, count: int
) -> Written:
    """Write what a statement gives as (n, values), in the caller's transaction, unchecked."""
    ended = _run(END, table, source, parameters, by=by)
    changed = _run(CHANGE, table, source, parameters, by=by)
    added = _run(ADD, table, source, parameters, by=by)
    left = count - len(changed) - len(added)
    return Written(len(added), len(changed) + len(ended), left, [*ended, *changed, *added])


def refer(table: Table, rows: Sequence[Row]) -> None:
    """Raises BadCell where a row names a source or a calendar that there is not."""
    for code, name, model in (
        ("mapping", "source", Source),
        ("location", "calendar", WorkCalendar),
    ):
        wanted = {str(row.values[name]) for row in rows} - {""} if table.code == code else set()
        known = model._base_manager.values_list("slug" if code == "mapping" else "code", flat=True)
        unknown = sorted(wanted - set(known)) if wanted else []
        if unknown:
            raise BadCell(f"{name}: there is none called {unknown[0]!r}")


def watch(table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """From now on words that these rows could mean are looked up."""
    pairs = {table.words(row) for row in rows}
    if table.code == "unit":
        pairs.add(("item", ""))
    wanted = [Watch(table=t, source=s) for t, s in pairs if t != "tax"]
    Watch.objects.bulk_create(wanted, ignore_conflicts=True)


def _settle(table: Table, changes: Sequence[int], by: Author, detail: dict[str, Any]) -> int:
    """What follows from changes: words watched, orders marked (how many), the audit told."""
    if not changes:
        return 0
    kept = MasterChange.objects.filter(pk__in=changes)
    images = kept.values_list("before", "after")
    watch(table, [image for pair in images for image in pair if image])
    orders = impact.mark(table, changes)
    record(
        f"master.{table.code}",
        who=by.who,
        object=f"{table.code} {kept.values_list('row', flat=True)[0]}",
        detail={**detail, "via": by.via, "orders": orders},
        now=by.now,
    )
    return orders


def _run(
    statement: str,
    table: Table,
    source: str,
    parameters: dict[str, Any],
    *,
    by: Author,
    match: str = MATCH,
) -> list[int]:
    """Run one of the statements; the ids of the changes it kept."""
    names = [f'"{name}"' for name in table.stored]
    what, before, after = KEPT[statement]
    sql = statement.format(
        fresh=FRESH.format(source=source, table=table.db_table),
        keep=KEEP.format(what=what, before=before, after=after),
        table=table.db_table,
        match=match,
        stored=", ".join(names),
        told=", ".join(f"t.{name}" for name in names),
        said=", ".join(f"f.{name}" for name in names),
    )
    told: dict[str, Any] = {
        "code": table.code,
        "now": by.now,
        "who": by.who.pk if by.who else None,
        "via": by.via,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, told | parameters)
        return [row[0] for row in cursor.fetchall()]


@contextmanager
def checked(table: Table) -> Iterator[None]:
    """A transaction at whose end the rows' periods are checked. Raises Overlap."""
    name = f"{table.model._meta.model_name}_one_at_a_time"
    try:
        with transaction.atomic():
            yield
            with connection.cursor() as cursor:
                cursor.execute(f"SET CONSTRAINTS {name} IMMEDIATE")
                cursor.execute(f"SET CONSTRAINTS {name} DEFERRED")
    except IntegrityError as error:
        if isinstance(error.__cause__, ExclusionViolation):
            raise Overlap(f"Another {table.one} of this name holds at the same time.") from error
        raise


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
