"""The ordinary database role of the product in the embedded database.

The superuser of the cluster is for the launcher alone: it creates the role and the extensions, and
runs the migrations. After these, the role owns all tables and functions but those of the audit log,
to which it can only add entries.
"""

import secrets
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import psycopg
from psycopg import sql

from visibility.launcher.embedded_servers import DATABASE_NAME, database_url
from visibility.launcher.instance_lock_and_environment import write_private
from visibility.launcher.reachable_server_folders import ServerLayout

APPLICATION_ROLE = "throughline_app"
AUDIT_TABLES = ("visibility_auditentry", "visibility_audithead")
AUDIT_FUNCTION = "visibility_audit_append_only"

CREATE_ROLE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') THEN
        CREATE ROLE {APPLICATION_ROLE};
    END IF;
END $$;
ALTER ROLE {APPLICATION_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
GRANT pg_read_all_stats TO {APPLICATION_ROLE};
GRANT USAGE, CREATE ON SCHEMA public TO {APPLICATION_ROLE};
"""
SET_PASSWORD = sql.SQL(f"ALTER ROLE {APPLICATION_ROLE} PASSWORD {{}}")
# What belongs to an extension keeps its owner, and a sequence of a column has that of its table.
HAND_OVER = f"""
DO $$
DECLARE
    item text;
BEGIN
    FOR item IN
        SELECT format('TABLE %s', c.oid::regclass)
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S', 'v', 'm')
            AND c.relowner <> '{APPLICATION_ROLE}'::regrole
            AND c.relname NOT IN {AUDIT_TABLES}
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                AND d.objid = c.oid AND (d.deptype = 'e' OR c.relkind = 'S'
                    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
        UNION ALL
        SELECT format('ROUTINE %s', p.oid::regprocedure)
        FROM pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace
            AND p.proowner <> '{APPLICATION_ROLE}'::regrole AND p.proname <> '{AUDIT_FUNCTION}'
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass
                AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER %s OWNER TO {APPLICATION_ROLE}', item);
    END LOOP;
    IF to_regclass('visibility_auditentry') IS NOT NULL THEN
        GRANT SELECT, INSERT ON visibility_auditentry TO {APPLICATION_ROLE};
        -- A backup of a running installation reads the sequence as this role.
        FOR item IN
            SELECT c.oid::regclass FROM pg_class AS c JOIN pg_depend AS d ON d.objid = c.oid
            WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass
                AND d.refobjid = 'visibility_auditentry'::regclass
        LOOP
            EXECUTE format('GRANT SELECT ON SEQUENCE %s TO {APPLICATION_ROLE}', item);
        END LOOP;
    END IF;
    IF to_regclass('visibility_audithead') IS NOT NULL THEN
        GRANT SELECT, UPDATE ON visibility_audithead TO {APPLICATION_ROLE};
    END IF;
END $$
"""  # noqa: S608  # only own text


class Executor(Protocol):
    """A cursor or connection of psycopg or Django, as a superuser."""

    def execute(self, query: Any, /) -> object:
        """Run statements without parameters."""


def create_or_restrict_role(database: Executor) -> None:
    """Create the role if it does not exist, and take away what it must not be able to do."""
    database.execute(CREATE_ROLE)


def hand_over_tables_and_functions(database: Executor) -> None:
    """Make the role the owner of what migrations created, except for the audit log."""
    database.execute(HAND_OVER)


def application_database_url(servers: ServerLayout) -> str:
    """The URL of the product's database with the ordinary role that its processes use."""
    password = _application_password_file(servers).read_text().strip()
    host = quote(str(servers.socket_folder), safe="/")
    return f"postgresql://{APPLICATION_ROLE}:{password}@/{DATABASE_NAME}?host={host}"


def ensure_application_role(servers: ServerLayout) -> None:
    """Create the role of the product's processes, with the password in its file."""
    path = _application_password_file(servers)
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(24) + "\n")
    password = sql.Literal(path.read_text().strip())
    with psycopg.connect(database_url(servers)) as connection:
        create_or_restrict_role(connection)
        connection.execute(SET_PASSWORD.format(password))


def hand_over_to_application_role(servers: ServerLayout) -> None:
    """Give the role what migrations created. It needs seconds after an upgrade, else none."""
    with psycopg.connect(database_url(servers)) as connection:
        hand_over_tables_and_functions(connection)


def _application_password_file(servers: ServerLayout) -> Path:
    return servers.state_folder / "pg.app.password"
