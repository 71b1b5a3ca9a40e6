"""`manage.py replace_secret_key` with the embedded database, while the product is stopped.

The older key is written to a second file before the new one takes its place, so that a run that is
killed loses nothing; the next run goes on.
"""

import os
import secrets
from functools import partial
from pathlib import Path

from visibility.launcher import (
    backup_command,
    embedded_servers,
    instance_lock_and_environment,
)
from visibility.launcher.instance_lock_and_environment import (
    ensure_secret_key_file,
    fallback_keys_file,
    write_private,
)
from visibility.launcher.own_postgres_command import run_with_own_postgres
from visibility.launcher.reachable_server_folders import ServerLayout
from visibility.launcher.server_programs_and_account import StartError
from visibility.launcher.supervisor import (
    Supervisor,
)
from visibility.launcher.terminal_signals_and_logs import print_line

CHECK, REMOVE = "--check", "--remove-old-keys"
VARIABLES = ("SECRET_KEY", "SECRET_KEY_FALLBACKS")


def main(argv: list[str]) -> int | None:
    """Run the command with servers of its own; None if Django runs it with those that exist."""
    data, (_, _, *options) = instance_lock_and_environment.pop_data_option(argv)
    if "DATABASE_URL" in os.environ or "DATABASE_URL_FILE" in os.environ:
        return None
    if {"-h", "--help"} & set(options):
        return None
    if CHECK in options and instance_lock_and_environment.running_instance_environment(data):
        return None
    return run_with_own_postgres(
        data,
        lambda: partial(_run, data, options),
        stopped="stopped; run the command again to finish",
    )


def _run(data: Path, options: list[str], servers: ServerLayout, supervisor: Supervisor) -> None:
    if not backup_command.contains_data(servers):
        raise StartError(f"{data} contains no data.")
    has_own_keys = _has_keys_of_environment()
    environment = {} if has_own_keys else {"SECRET_KEY_FILE": str(ensure_secret_key_file(data))}
    if not has_own_keys and not {CHECK, REMOVE} & set(options):
        make_new_key(data)
    arguments = [option for option in options if option != REMOVE or has_own_keys]
    url = embedded_servers.database_url(servers)
    command = ["replace_secret_key", *arguments]
    backup_command.run_django_command(supervisor, data, url, command, environment)
    if REMOVE in options and not has_own_keys:
        fallback_keys_file(data).unlink(missing_ok=True)
        print_line("the older keys are deleted")
    elif not has_own_keys and fallback_keys_file(data).exists():
        print_line(
            f"the older key stays in {fallback_keys_file(data)}, for links that were given out; "
            f"delete it with `manage.py replace_secret_key {REMOVE}`"
        )


def make_new_key(data: Path) -> None:
    """Make a new key, unless the replacement of an older one is not complete yet."""
    file, fallbacks = ensure_secret_key_file(data), fallback_keys_file(data)
    current = file.read_text().strip()
    older = fallbacks.read_text().splitlines() if fallbacks.is_file() else []
    if set(older) - {current}:
        print_line(f"no new key is made: the one before is still in {fallbacks}")
        return
    write_private(fallbacks, f"{current}\n")
    write_private(file, secrets.token_urlsafe(48) + "\n")
    print_line(f"made a new key in {file}")


def _has_keys_of_environment() -> bool:
    return any(os.environ.get(name) or os.environ.get(f"{name}_FILE") for name in VARIABLES)
