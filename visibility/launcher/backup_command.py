"""`manage.py backup` and `restore` with the embedded database while the product is stopped.

A restore fills a new database beside the current one. Only when it is complete, the two change
places, so that a restore that fails or is killed before that leaves all data as it was.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from visibility.launcher import (
    embedded_servers,
    instance_lock_and_environment,
    up_command,
)
from visibility.launcher.backup_passphrase import VARIABLE, read_passphrase
from visibility.launcher.database_in_use import is_database_in_use
from visibility.launcher.embedded_servers import DATABASE_NAME
from visibility.launcher.instance_lock_and_environment import CHECKOUT, FALLBACK_KEYS
from visibility.launcher.own_postgres_command import Action, run_with_own_postgres
from visibility.launcher.reachable_server_folders import ServerLayout
from visibility.launcher.server_programs_and_account import StartError
from visibility.launcher.start_process_and_rotate_log import ProcessDefinition, python_child_command
from visibility.launcher.supervisor import (
    Supervisor,
)
from visibility.launcher.terminal_signals_and_logs import print_line

RESTORED, REPLACED = f"{DATABASE_NAME}_restored", f"{DATABASE_NAME}_replaced"
REPLACE_OPTION = "--replace"


def main(argv: list[str]) -> int | None:
    """Run the command with servers of its own; None if Django runs it with those that exist."""
    data, (_, command, *arguments) = instance_lock_and_environment.pop_data_option(argv)
    if "DATABASE_URL" in os.environ or "DATABASE_URL_FILE" in os.environ:
        return None
    if instance_lock_and_environment.works_offline(command, [*argv[:1], command, *arguments]):
        return None
    if command == "backup" and instance_lock_and_environment.running_instance_environment(data):
        return None

    def prepare() -> Action:
        environment = {VARIABLE: read_passphrase(is_new=command == "backup")}
        run = _restore if command == "restore" else _back_up
        return lambda servers, supervisor: run(data, servers, supervisor, arguments, environment)

    return run_with_own_postgres(data, prepare, stopped="stopped; nothing was changed")


def _back_up(
    data: Path,
    servers: ServerLayout,
    supervisor: Supervisor,
    arguments: list[str],
    environment: Mapping[str, str],
) -> None:
    if not contains_data(servers):
        raise StartError(f"{data} contains no data.")
    key_file = instance_lock_and_environment.ensure_secret_key_file(data)
    url = embedded_servers.database_url(servers)
    keys = {} if os.environ.get("SECRET_KEY") else {"SECRET_KEY_FILE": str(key_file)}
    run_django_command(supervisor, data, url, ["backup", *arguments], {**keys, **environment})


def _restore(
    data: Path,
    servers: ServerLayout,
    supervisor: Supervisor,
    arguments: list[str],
    environment: Mapping[str, str],
) -> None:
    if REPLACE_OPTION in arguments:
        arguments = [item for item in arguments if item != REPLACE_OPTION]
    elif contains_data(servers):
        raise StartError(f"{data} contains data. Replace all of it with {REPLACE_OPTION}.")
    new = data / "restore.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    _create_database(servers)
    options = ["--files", str(new), "--write-secret-key", str(new / "secret.key")]
    url = embedded_servers.database_url(servers, name=RESTORED)
    # Only to start: the key of the backup takes its place.
    key = {"SECRET_KEY": secrets.token_urlsafe(48)}
    run_django_command(
        supervisor, data, url, ["restore", *arguments, *options], {**key, **environment}
    )
    _replace(data, new, servers)
    print_line("restored; start with `python3 manage.py up`")


def run_django_command(
    supervisor: Supervisor,
    data: Path,
    url: str,
    arguments: list[str],
    environment: Mapping[str, str],
) -> None:
    """Run a command of Django with this database, and its output in the terminal."""
    supervisor.run_to_completion(
        ProcessDefinition(
            arguments[0],
            python_child_command("django", *arguments),
            environment={
                "DATA_DIR": str(data),
                "DATABASE_URL": url,
                "REDIS_URL": "unix:///nonexistent/valkey.sock",
                "DJANGO_SETTINGS_MODULE": "visibility.settings",
                "PYTHONUNBUFFERED": "1",
                "DEMO": "1" if up_command.stored_mode(data) == "demo" else "0",
                **environment,
            },
            folder=CHECKOUT,
            output_to_terminal=True,
            is_setup_step=True,
        )
    )


def contains_data(servers: ServerLayout) -> bool:
    """Whether the embedded database is in use."""
    with (
        psycopg.connect(embedded_servers.database_url(servers)) as connection,
        connection.cursor() as cursor,
    ):
        return is_database_in_use(cursor)


def _create_database(servers: ServerLayout) -> None:
    with _maintenance(servers) as connection:
        _drop(connection, RESTORED)
    embedded_servers.ensure_database_and_extensions(servers, name=RESTORED)


def _replace(data: Path, new: Path, servers: ServerLayout) -> None:
    """Put the restored database and files in the place of the current ones.

    Until all of it is done, a file keeps `up` from starting: what ran would have only a part.
    """
    unfinished = instance_lock_and_environment.unfinished_restore(data)
    instance_lock_and_environment.write_private(unfinished, "")
    with _maintenance(servers) as connection:
        _drop(connection, REPLACED)
        with connection.transaction():
            _rename(connection, DATABASE_NAME, REPLACED)
            _rename(connection, RESTORED, DATABASE_NAME)
    for name in ("secret.key", FALLBACK_KEYS, "mode", "connectors"):
        restored, current = new / name, data / name
        if current.is_dir():
            shutil.rmtree(current)
        elif name == FALLBACK_KEYS:
            current.unlink(missing_ok=True)
        if restored.exists():
            restored.replace(current)
    with _maintenance(servers) as connection:
        _drop(connection, REPLACED)
    shutil.rmtree(new)
    unfinished.unlink()


def _maintenance(servers: ServerLayout) -> psycopg.Connection:
    url = embedded_servers.database_url(servers, name="postgres")
    return psycopg.connect(url, autocommit=True)


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def _rename(connection: psycopg.Connection, name: str, new_name: str) -> None:
    connection.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
            sql.Identifier(name), sql.Identifier(new_name)
        )
    )
