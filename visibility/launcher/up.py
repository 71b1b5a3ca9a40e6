"""`manage.py up`: servers, migrations, web, worker, scheduler and, in a demonstration, its life."""

import argparse
import http.client
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg

from visibility.environment import text
from visibility.launcher import embedded, instance, layout, ports
from visibility.launcher import plan as children
from visibility.launcher.binaries import Unusable
from visibility.launcher.plan import Plan, Start
from visibility.launcher.supervisor import Stopped, Supervisor, fail, say

LIMIT = timedelta(seconds=60)


@dataclass(frozen=True)
class Options:
    """What the person at the terminal asked for."""

    data: Path
    port: int | None
    # None: as this data folder began; a demonstration when it is new.
    demo: bool | None
    fresh: bool


def main(argv: list[str], plan: Callable[[Start], Plan] = children.product) -> int:
    """Run until Ctrl-C; the exit code."""
    options = _parse(argv)
    try:
        claim = instance.Claim(options.data)
    except instance.Running as first:
        return fail(str(first))
    supervisor = Supervisor(options.data / "log")
    code = 0
    try:
        port = ports.claim(options.port)
        claim.tell(f"http://127.0.0.1:{port.number}/")
        _start(options, port.number, supervisor, plan)
        supervisor.watch()
    except Stopped:
        say("stopping")
    except (Unusable, OSError, psycopg.Error) as error:
        code = fail(str(error))
    finally:
        instance.withdraw(options.data)
        supervisor.stop()
    return code


def _parse(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="Start everything; Ctrl-C stops everything."
    )
    parser.add_argument("--port", type=_port, help="this port and no other (default: from 8000)")
    parser.add_argument("--data", type=Path, help="the folder for all data (default: var)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--demo", action="store_const", const=True, help="with a simulated company")
    mode.add_argument("--empty", dest="demo", action="store_const", const=False, help="for work")
    parser.add_argument("--fresh", action="store_true", help="first forget all stored data")
    found = parser.parse_args(argv)
    data = (found.data or instance.default_data()).absolute()
    return Options(data, found.port, found.demo, found.fresh)


def _port(word: str) -> int:
    if not word.isdigit() or not 0 < int(word) < 65536:
        raise argparse.ArgumentTypeError(f"{word!r} is not a port")
    return int(word)


def _start(
    options: Options,
    port: int,
    supervisor: Supervisor,
    plan: Callable[[Start], Plan],
) -> None:
    url = f"http://127.0.0.1:{port}"
    demo = _mode(options)
    environment = _servers(options, supervisor) | _environment(options, demo=demo, url=url)
    instance.publish(options.data, environment)
    planned = plan(Start(options.data, port, demo, environment))
    for step in planned.steps:
        say(f"running {' and '.join(child.name for child in step)}")
        supervisor.run(*step)
        if any(child.name == "collectstatic" for child in step):
            children.note_static(options.data)
    say(f"starting {', '.join(child.name for child in planned.stay)}")
    for child in planned.stay:
        supervisor.start(child)
    supervisor.wait_for(lambda: _answers(port, planned.probe), what="The web server", limit=LIMIT)
    for child in planned.after_ready:
        supervisor.start(child)
    say(f"ready {url}/")


def _mode(options: Options) -> bool:
    """Real data must never wake up in a demonstration, which anybody may enter."""
    if options.fresh:
        _empty(options)
    path = options.data / "mode"
    began = path.read_text().strip() if path.is_file() else None
    asked = {True: "demo", False: "empty", None: began or "demo"}[options.demo]
    if began not in {None, asked}:
        raise Unusable(
            f"{options.data} began with --{began}: leave --{asked} out, give another folder with "
            "--data, or forget its content with --fresh."
        )
    if began is None:
        instance.write_private(path, f"{asked}\n")
    return asked == "demo"


def _empty(options: Options) -> None:
    if text("DATABASE_URL", default=""):
        raise Unusable("--fresh forgets the embedded database only, and DATABASE_URL is set.")
    layout.empty(options.data)
    (options.data / "log").mkdir(mode=0o700)


def _environment(options: Options, *, demo: bool, url: str) -> dict[str, str]:
    environment = {
        "DATA_DIR": str(options.data),
        "PUBLIC_URL": os.environ.get("PUBLIC_URL", url),
        "DEMO": "1" if demo else "0",
        "DJANGO_SETTINGS_MODULE": "visibility.settings",
        "PYTHONUNBUFFERED": "1",
    }
    if not (os.environ.get("SECRET_KEY") or os.environ.get("SECRET_KEY_FILE")):
        environment["SECRET_KEY_FILE"] = str(instance.secret_key(options.data))
    return environment


def _servers(options: Options, supervisor: Supervisor) -> dict[str, str]:
    """Addresses of both servers, started here unless they were given."""
    database = text("DATABASE_URL", default="")
    broker = text("REDIS_URL", default="")
    if not (database and broker):
        found = layout.settle(options.data, postgres=not database, valkey=not broker)
        embedded.clear_leftovers(found)
        database = database or _start_postgres(found, supervisor)
        broker = broker or _start_valkey(found, supervisor)
        if found.state != options.data:
            say(f"the servers keep their data in {found.state}")
    if not embedded.database_answers(database):
        raise Unusable("The database that DATABASE_URL names does not answer.")
    return {"DATABASE_URL": database, "REDIS_URL": broker}


def _start_postgres(found: layout.Place, supervisor: Supervisor) -> str:
    say(f"starting PostgreSQL {found.binaries.major}")
    initdb = embedded.initdb(found)
    if initdb is not None:
        supervisor.run(initdb)
        embedded.keep_draft(found)
    supervisor.start(embedded.postgres(found))
    maintenance = embedded.database_url(found, name="postgres")
    supervisor.wait_for(
        lambda: embedded.database_answers(maintenance), what="PostgreSQL", limit=LIMIT
    )
    embedded.create_database(found)
    return embedded.database_url(found)


def _start_valkey(found: layout.Place, supervisor: Supervisor) -> str:
    say("starting Valkey")
    supervisor.start(embedded.valkey(found))
    supervisor.wait_for(lambda: embedded.valkey_answers(found), what="Valkey", limit=LIMIT)
    return embedded.redis_url(found)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
