"""`manage.py up`: start servers, migrations, web, worker, scheduler and the demo's simulator."""

import http.client
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg

from visibility.environment import env_text_or_file_content
from visibility.launcher import (
    application_role,
    choose_web_port,
    embedded_servers,
    instance_lock_and_environment,
    reachable_server_folders,
)
from visibility.launcher import process_plan as children
from visibility.launcher.detect_obsolete_database import OBSOLETE_LAYOUT
from visibility.launcher.process_plan import ProcessPlan, StartOptions
from visibility.launcher.server_programs_and_account import StartError
from visibility.launcher.supervisor import (
    StopRequested,
    Supervisor,
    print_error_and_return_exit_code,
)
from visibility.launcher.terminal_signals_and_logs import print_line
from visibility.launcher.up_options import UpOptions, parse_up_options

READY_TIMEOUT = timedelta(seconds=60)
# After this time, the terminal shows why the web server does not answer.
WEB_TIMEOUT = timedelta(seconds=60)


@dataclass(frozen=True)
class DatabaseAndBroker:
    """The servers of one start.

    `environment`: how the product's processes connect. `owner_url`: how the migrations connect.
    `embedded_database`: the folders of the database, unless DATABASE_URL names another.
    """

    environment: dict[str, str]
    owner_url: str
    embedded_database: reachable_server_folders.ServerLayout | None

    def hand_over_to_application_role(self) -> None:
        """Give the role of the embedded database what migrations created."""
        if self.embedded_database is not None:
            application_role.hand_over_to_application_role(self.embedded_database)


def main(
    argv: list[str], plan: Callable[[StartOptions], ProcessPlan] = children.product_plan
) -> int:
    """Run until Ctrl-C; return the exit code."""
    options = parse_up_options(argv)
    try:
        lock = instance_lock_and_environment.InstanceLock(options.data)
    except instance_lock_and_environment.AlreadyRunning as running:
        return print_error_and_return_exit_code(str(running))
    supervisor = Supervisor(options.data / "log", options.data / "run")
    code = 0
    try:
        port = choose_web_port.claim_port(options.port)
        lock.record_holder_pid_and_url(f"http://127.0.0.1:{port.number}/")
        _start_product_until_web_answers(options, port.number, supervisor, plan)
        supervisor.run_forever()
    except StopRequested:
        print_line("stopping")
    except (StartError, OSError, psycopg.Error) as error:
        code = print_error_and_return_exit_code(str(error))
    finally:
        instance_lock_and_environment.delete_instance_file(options.data)
        supervisor.stop()
    return code


def _start_product_until_web_answers(
    options: UpOptions,
    port: int,
    supervisor: Supervisor,
    plan: Callable[[StartOptions], ProcessPlan],
) -> None:
    url = f"http://127.0.0.1:{port}"
    if (
        not options.fresh
        and instance_lock_and_environment.unfinished_restore(options.data).exists()
    ):
        raise StartError("A restore was interrupted. Run `manage.py restore FILE --replace` again.")
    demo = _delete_if_fresh_and_decide_demo(options)
    servers = _start_unconfigured_servers(options, supervisor)
    environment = servers.environment | _product_environment_without_server_urls(
        options, demo=demo, url=url
    )
    if embedded_servers.database_has_obsolete_layout(servers.owner_url):
        raise StartError(OBSOLETE_LAYOUT)
    servers.hand_over_to_application_role()
    instance_lock_and_environment.write_instance_file(options.data, environment)
    owner = {"DATABASE_URL": servers.owner_url}
    process_plan = plan(
        StartOptions(options.data, port, demo, environment, owner, options.demo_arguments)
    )
    for step in process_plan.setup_steps:
        print_line(f"running {' and '.join(child.name for child in step)}")
        supervisor.run_to_completion(*step)
        servers.hand_over_to_application_role()
        if any(child.name == "collectstatic" for child in step):
            children.record_static_stamp(options.data)
    print_line(f"starting {', '.join(child.name for child in process_plan.services)}")
    for child in process_plan.services:
        supervisor.start_child(child)
    _wait_until_web_answers(supervisor, lambda: _web_answers(port, process_plan.probe_path))
    for child in process_plan.after_ready:
        supervisor.start_child(child)
    print_line(f"ready {url}/")
    _print_if_not_ready_to_accept(port)


def _wait_until_web_answers(supervisor: Supervisor, probe: Callable[[], bool]) -> None:
    """Wait without an end: alerts and polls do not need the web server, which is started again."""
    try:
        supervisor.wait_until_ready(probe, name="The web server", timeout=WEB_TIMEOUT)
    except StartError as error:
        print_line(f"{error}\nThe other processes go on.")
        supervisor.wait_until_ready(probe, name="The web server", timeout=timedelta.max)


def _delete_if_fresh_and_decide_demo(options: UpOptions) -> bool:
    """Return whether this is a demo.

    Refuses to change the mode of existing data: anybody can sign in to a demo.
    """
    if options.fresh:
        _delete_data(options)
    current_mode = stored_mode(options.data)
    requested_mode = {True: "demo", False: "empty", None: current_mode or "demo"}[options.demo]
    if current_mode not in {None, requested_mode}:
        raise StartError(
            f"{options.data} was created with --{current_mode}. Omit --{requested_mode}, "
            "choose another folder with --data, or delete its content with --fresh."
        )
    if current_mode is None:
        instance_lock_and_environment.write_private(options.data / "mode", f"{requested_mode}\n")
    return requested_mode == "demo"


def stored_mode(data: Path) -> str | None:
    """`demo` or `empty`; None for a new data folder."""
    path = data / "mode"
    return path.read_text().strip() if path.is_file() else None


def _delete_data(options: UpOptions) -> None:
    if env_text_or_file_content("DATABASE_URL", default=""):
        raise StartError("--fresh only deletes the embedded database, but DATABASE_URL is set.")
    reachable_server_folders.delete_all_data(options.data)
    (options.data / "log").mkdir(mode=0o700)


def _product_environment_without_server_urls(
    options: UpOptions, *, demo: bool, url: str
) -> dict[str, str]:
    environment = {
        "DATA_DIR": str(options.data),
        "PUBLIC_URL": os.environ.get("PUBLIC_URL", url),
        "DEMO": "1" if demo else "0",
        "DJANGO_SETTINGS_MODULE": "visibility.settings",
        "PYTHONUNBUFFERED": "1",
    }
    if not (os.environ.get("SECRET_KEY") or os.environ.get("SECRET_KEY_FILE")):
        environment["SECRET_KEY_FILE"] = str(
            instance_lock_and_environment.ensure_secret_key_file(options.data)
        )
    return environment


def _start_unconfigured_servers(options: UpOptions, supervisor: Supervisor) -> DatabaseAndBroker:
    """Start the servers that the environment does not name."""
    database = env_text_or_file_content("DATABASE_URL", default="")
    broker = env_text_or_file_content("REDIS_URL", default="")
    owner_url, embedded, environment = database, None, {}
    if not (database and broker):
        servers = reachable_server_folders.prepare_layout(
            options.data, postgres=not database, valkey=not broker
        )
        embedded_servers.stop_leftover_servers(servers)
        if not database:
            owner_url, embedded = start_postgres(servers, supervisor), servers
            database = application_role.application_database_url(servers)
            environment["DATABASE_FOLDER"] = str(servers.state_folder)
        broker = broker or _start_valkey(servers, supervisor)
        if servers.state_folder != options.data:
            print_line(f"the servers store their data in {servers.state_folder}")
    if not embedded_servers.database_answers(database):
        raise StartError("The database in DATABASE_URL does not respond.")
    environment |= {"DATABASE_URL": database, "REDIS_URL": broker}
    return DatabaseAndBroker(environment, owner_url, embedded)


def start_postgres(servers: reachable_server_folders.ServerLayout, supervisor: Supervisor) -> str:
    """Start the database and return the URL with its superuser."""
    print_line(f"starting PostgreSQL {servers.programs.postgres_major_version}")
    initdb = embedded_servers.define_initdb_if_needed(servers)
    if initdb is not None:
        supervisor.run_to_completion(initdb)
        embedded_servers.rename_initialized_data_folder(servers)
    supervisor.start_child(embedded_servers.define_postgres_process(servers))
    maintenance = embedded_servers.database_url(servers, name="postgres")
    supervisor.wait_until_ready(
        lambda: embedded_servers.database_answers(maintenance),
        name="PostgreSQL",
        timeout=READY_TIMEOUT,
    )
    embedded_servers.ensure_database_and_extensions(servers)
    application_role.ensure_application_role(servers)
    return embedded_servers.database_url(servers)


def _start_valkey(servers: reachable_server_folders.ServerLayout, supervisor: Supervisor) -> str:
    print_line("starting Valkey")
    supervisor.start_child(embedded_servers.define_valkey_process(servers))
    supervisor.wait_until_ready(
        lambda: embedded_servers.valkey_answers(servers), name="Valkey", timeout=READY_TIMEOUT
    )
    return embedded_servers.redis_url(servers)


def _print_if_not_ready_to_accept(port: int) -> None:
    """Say why the product refuses messages although it runs, such as a full disk."""
    try:
        status, body = _get(port, "/readyz")
    except (OSError, http.client.HTTPException) as error:
        print_line(f"/readyz does not answer yet: {error}")
        return
    if status == 503:
        print_line(f"messages are refused: {json.loads(body)['problem']}")


def _web_answers(port: int, path: str) -> bool:
    try:
        return _get(port, path)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
