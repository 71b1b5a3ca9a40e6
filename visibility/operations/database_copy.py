"""Copy all tables to and from a stream of files, between servers of any supported version.

The schema is not copied: migrations create it. Tables travel as text of COPY, so the programs of
PostgreSQL are not needed, and the version of the server does not matter.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from psycopg import Cursor, sql

from visibility.operations.backup_container import BackupError

# Each file has at most about so many bytes, and whole blocks of COPY.
FILE_BYTES = 8_000_000
# Rows that mean nothing in another installation: sign-ins end, and migrations are recorded as run.
WITHOUT_ROWS = {"django_session", "usersessions_usersession", "django_migrations"}
ROOT_TABLES = """
SELECT c.relname, array(
    SELECT a.attname::text FROM pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY a.attnum)
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND NOT EXISTS (SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname
"""
PARTITIONS = """
SELECT parent.relname, child.relname, pg_get_expr(child.relpartbound, child.oid)
FROM pg_inherits AS i
JOIN pg_class AS parent ON parent.oid = i.inhparent
JOIN pg_class AS child ON child.oid = i.inhrelid
WHERE parent.relnamespace = 'public'::regnamespace AND parent.relkind = 'p'
ORDER BY child.relname
"""
SEQUENCES = """
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S' ORDER BY c.relname
"""
FOREIGN_KEYS = """
SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid)
FROM pg_constraint AS c
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.connamespace = 'public'::regnamespace
"""


@dataclass(frozen=True)
class DatabaseContent:
    """What a copy contains: `tables` with their columns, partitions with their bounds."""

    migrations: list[tuple[str, str]]
    tables: dict[str, list[str]]
    # (table, name, bound), such as ("visibility_event", "visibility_event_default", "DEFAULT")
    partitions: list[tuple[str, str, str]]
    # The last value, and whether it was used.
    sequences: dict[str, tuple[int, bool]]

    def to_json(self) -> dict[str, Any]:
        """As it is stored in a backup."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "DatabaseContent":
        """The reverse of `to_json`."""
        return cls(
            [(app, name) for app, name in content["migrations"]],
            dict(content["tables"]),
            [(table, name, bound) for table, name, bound in content["partitions"]],
            {name: (last, used) for name, (last, used) in content["sequences"].items()},
        )


def dump_database(
    write: Callable[[str, bytes], None], report: Callable[[str, int], None]
) -> dict[str, int]:
    """Write `database.json`, then the files of each table; return the rows of each table.

    All is read in one snapshot, so work that goes on meanwhile does not matter. `report` gets each
    table and its rows.
    """
    rows: dict[str, int] = {}
    with transaction.atomic(), _cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        content = _read_content(cursor)
        write("database.json", json.dumps(content.to_json()).encode())
        for table, columns in content.tables.items():
            for number, block in enumerate(_copy_blocks(cursor, table, columns)):
                write(f"tables/{table}/{number:06}.copy", block)
            rows[table] = max(cursor.rowcount, 0)
            report(table, rows[table])
    return rows


def create_schema(content: DatabaseContent) -> None:
    """Run the migrations that had run when the copy was made, and no others.

    Raises:
        BackupError: a newer version made the copy, or later migrations ran here.
    """
    executor = MigrationExecutor(connection)
    executor.loader.check_consistent_history(connection)
    graph, recorded = executor.loader.graph, set(content.migrations)
    known = {key for key in recorded if key[0] in executor.loader.migrated_apps}
    if unknown := sorted(known - set(graph.nodes)):
        raise BackupError(
            f"A newer version made this backup: migration {'.'.join(unknown[0])} is not known here."
        )
    if later := sorted(set(executor.loader.applied_migrations) - recorded):
        raise BackupError(
            f"Migration {'.'.join(later[0])} ran here, but not where the backup was made. Use a "
            "database without tables."
        )
    executor.migrate(
        [key for key in known if not any(c.key in known for c in graph.node_map[key].children)]
    )


class DatabaseRestore:
    """Fills the tables of a new schema, in one transaction.

    with DatabaseRestore(content) as restore:
        restore.load(table, file)
        restore.check(rows)
    """

    def __init__(self, content: DatabaseContent) -> None:
        self._content = content
        self._rows = dict.fromkeys(content.tables, 0)
        self._transaction = transaction.atomic()

    def __enter__(self) -> "DatabaseRestore":
        self._transaction.__enter__()
        try:
            with _cursor() as cursor:
                self._foreign_keys = self._prepare(cursor)
        except BaseException as error:
            self._transaction.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            if error[0] is None:
                with _cursor() as cursor:
                    self._finish(cursor)
        except BaseException as failure:
            self._transaction.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._transaction.__exit__(*error)

    def load(self, table: str, file: IO[bytes]) -> None:
        """Add the rows of one file."""
        columns = self._content.tables.get(table)
        if columns is None:
            raise BackupError(f"The backup names no table {table}.")
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with _cursor() as cursor:
            with cursor.copy(query) as copy:
                while block := file.read(1 << 16):
                    copy.write(block)
            self._rows[table] += cursor.rowcount

    def check(self, rows: Mapping[str, int]) -> None:
        """Raise a BackupError unless each table got the rows that it had."""
        for table, expected in rows.items():
            if self._rows.get(table) != expected:
                raise BackupError(
                    f"{table}: {expected} rows were stored, {self._rows.get(table)} were restored."
                )

    def _prepare(self, cursor: Cursor[Any]) -> list[tuple[str, str, str]]:
        """Create partitions, empty all tables, and drop the foreign keys, which are returned."""
        cursor.execute(PARTITIONS)
        existing = {name for _, name, _ in cursor.fetchall()}
        for table, name, bound in self._content.partitions:
            if name not in existing:
                cursor.execute(
                    sql.SQL("CREATE TABLE {} PARTITION OF {} ").format(
                        sql.Identifier(name), sql.Identifier(table)
                    )
                    + sql.SQL(bound)  # written by PostgreSQL itself
                )
        cursor.execute(FOREIGN_KEYS)
        keys = cursor.fetchall()
        for table, name, _ in keys:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        tables = [table for table in self._content.tables if table != "django_migrations"]
        for table in tables:
            cursor.execute(_alter(table, "DISABLE TRIGGER USER"))
        cursor.execute(
            sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, tables)))
        )
        return keys

    def _finish(self, cursor: Cursor[Any]) -> None:
        for name, (last, used) in self._content.sequences.items():
            cursor.execute("SELECT setval(%s, %s, %s)", [f'"{name}"', last, used])
        for table, name, definition in self._foreign_keys:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        for table in self._content.tables:
            if table != "django_migrations":
                cursor.execute(_alter(table, "ENABLE TRIGGER USER"))


def analyze() -> None:
    """Let the planner know the new tables."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _cursor() -> Cursor[Any]:
    """A cursor of psycopg, which has COPY."""
    connection.ensure_connection()
    return connection.connection.cursor()  # type: ignore[no-any-return]  # Django has no type


def _read_content(cursor: Cursor[Any]) -> DatabaseContent:
    cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
    migrations = [(app, name) for app, name in cursor.fetchall()]
    cursor.execute(ROOT_TABLES)
    tables = dict(cursor.fetchall())
    cursor.execute(PARTITIONS)
    partitions = cursor.fetchall()
    cursor.execute(SEQUENCES)
    sequences: dict[str, tuple[int, bool]] = {}
    for (name,) in cursor.fetchall():
        cursor.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name)))
        (sequences[name],) = cursor.fetchall()
    return DatabaseContent(migrations, tables, partitions, sequences)


def _copy_blocks(cursor: Cursor[Any], table: str, columns: Sequence[str]) -> Iterator[bytes]:
    """The rows as text of COPY, in blocks that end with a whole row."""
    if table in WITHOUT_ROWS:
        cursor.execute("SELECT WHERE false")
        return
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table)
    )
    with cursor.copy(query) as copy:
        # Each message of the protocol is one row.
        waiting: list[bytes] = []
        size = 0
        for row in copy:
            waiting.append(bytes(row))
            size += len(waiting[-1])
            if size >= FILE_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
        if waiting:
            yield b"".join(waiting)


def _alter(table: str, action: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(table), sql.SQL(action))
