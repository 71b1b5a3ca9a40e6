"""Run a command on the embedded database while the product is stopped."""

from collections.abc import Callable
from pathlib import Path

import psycopg

from visibility.launcher import (
    embedded_servers,
    instance_lock_and_environment,
    reachable_server_folders,
    up_command,
)
from visibility.launcher.reachable_server_folders import ServerLayout
from visibility.launcher.server_programs_and_account import StartError
from visibility.launcher.supervisor import (
    StopRequested,
    Supervisor,
    print_error_and_return_exit_code,
)

Action = Callable[[ServerLayout, Supervisor], None]


def run_with_own_postgres(data: Path, prepare: Callable[[], Action], *, stopped: str) -> int:
    """Start PostgreSQL for an action, and stop it again; return the exit code.

    `prepare` returns the action. It may ask the person: the data folder is locked then, and signals
    are not caught yet. `stopped`: what to print if a signal ends the action.
    """
    try:
        lock = instance_lock_and_environment.InstanceLock(data)
    except instance_lock_and_environment.AlreadyRunning as running:
        return print_error_and_return_exit_code(f"{running}. Stop it first.")
    action = prepare()
    supervisor = Supervisor(data / "log", data / "run")
    try:
        servers = reachable_server_folders.prepare_layout(data, valkey=False)
        embedded_servers.stop_leftover_servers(servers)
        up_command.start_postgres(servers, supervisor)
        action(servers, supervisor)
    except StopRequested:
        return print_error_and_return_exit_code(stopped)
    except (StartError, OSError, psycopg.Error) as error:
        return print_error_and_return_exit_code(str(error))
    finally:
        supervisor.stop()
        lock.release()
    return 0
