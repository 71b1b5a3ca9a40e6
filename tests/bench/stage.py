"""Everything a measure stands on: servers, the product's processes, those of the plain way."""

import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import redis

from tests.bench import course
from tests.bench.processes import Meter, Processes
from tests.bench.servers import Servers, servers
from visibility.launcher.plan import ENVIRONMENT, WORKER, scheduler, web

# The plain way runs under the very same words.
PLAIN = {
    "visibility.asgi:application": "tests.bench.plain.asgi:application",
    "visibility.celery:app": "tests.bench.plain.celery:app",
    "throughline,master": "plain",
    "visibility.web.intake.uvicorn_protocol:Protocol": "httptools",
}
PATIENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Took:
    """One measured run: how many, how long, and whose CPU."""

    count: int
    seconds: float
    cpu: Mapping[str, float]
    waits: Sequence[float] = ()
    client_cpu: float = 0.0
    began: float = 0.0

    @property
    def rate(self) -> float:
        """A second."""
        return self.count / self.seconds

    @property
    def cpu_each(self) -> float:
        """Milliseconds of CPU for each, the servers' included."""
        return 1000 * sum(self.cpu.values()) / self.count


class Stage:
    """The servers run; the processes are started by the measures that want them."""

    def __init__(self, found: Servers) -> None:
        self.servers = found
        self.port, self.plain_port = free_port(), free_port()
        key = secrets.token_urlsafe(48)
        shared = {"SECRET_KEY": key, "REDIS_URL": found.redis, "DATA_DIR": str(found.folder)}
        prefix = f"bench-{os.getpid()}"
        self.environment = {
            **ENVIRONMENT,
            **shared,
            "DJANGO_SETTINGS_MODULE": "visibility.settings",
            "DATABASE_URL": found.product,
            "REDIS_PREFIX": prefix,
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            # One source must not be told to be slower here.
            "SOURCE_RATE": "1000000",
            "LOG_LEVEL": "WARNING",
        }
        self.product = Processes(found.folder, self.environment)
        self.plain = Processes(
            found.folder,
            {
                **ENVIRONMENT,
                **shared,
                "DJANGO_SETTINGS_MODULE": "tests.bench.plain.settings",
                "DATABASE_URL": found.plain,
                "REDIS_PREFIX": f"plain-{prefix}",
            },
        )

    def prepare(self) -> None:
        """Tables of both, static files, and this process as a client of the product's database."""
        self.product.run("django", "migrate", "--skip-checks", "--verbosity", "0")
        self.product.run("django", "collectstatic", "--noinput", "--verbosity", "0")
        self.plain.run("django", "migrate", "--run-syncdb", "--skip-checks", "--verbosity", "0")
        os.environ.update(self.environment)
        import django

        django.setup()

    def start_web(self) -> None:
        """The product's web server, if it does not run yet; it stays to the end."""
        if "web" in self.product.pids:
            return
        self.product.start("web", web("127.0.0.1", self.port))
        self.product.await_web("web", f"http://127.0.0.1:{self.port}/healthz")

    def start_plain_web(self) -> None:
        """The plain way's web server, likewise."""
        if "plain_web" in self.plain.pids:
            return
        self.plain.start("plain_web", plainly(web("127.0.0.1", self.plain_port)))
        self.plain.await_web("plain_web", f"http://127.0.0.1:{self.plain_port}/")

    def start_worker(self, name: str = "worker") -> None:
        """One worker process."""
        self.product.start(name, WORKER)

    def start_scheduler(self) -> None:
        """The scheduler."""
        self.product.start("scheduler", scheduler(str(self.servers.folder / "beat")))

    def start_plain_worker(self) -> None:
        """One worker process of the plain way."""
        self.plain.start("plain_worker", plainly(WORKER))

    def stop(self) -> None:
        """All of our processes; the servers stay."""
        self.product.stop()
        self.plain.stop()

    def clear(self) -> None:
        """Forget what the plain way has, and what is queued in either broker."""
        rows(self.servers.plain, "TRUNCATE plain_event, plain_order CASCADE")
        with redis.Redis.from_url(self.servers.redis) as broker:
            for processes in (self.product, self.plain):
                for key in broker.scan_iter(f"{processes.environment['REDIS_PREFIX']}:*", 1000):
                    broker.delete(key)

    def meter(self, processes: Processes) -> Meter:
        """CPU of these processes and of the servers, PostgreSQL's backends included."""
        pids = {**processes.pids, "postgres": self.servers.postgres}
        if self.servers.valkey:
            pids["valkey"] = self.servers.valkey
        return Meter(pids)

    def load(self, port: int, processes: Processes, **asked: object) -> Took:
        """Let the generator send, and look at the CPU meanwhile."""
        words = [w for name, value in asked.items() for w in (f"--{name}", str(value))]
        meter = self.meter(processes)
        meter.start()
        said: dict[str, Any] = json.loads(
            processes.run("tests.bench.load", "--port", str(port), *words)
        )
        wrong = {k: n for k, n in said["answers"].items() if k != "202"}
        if wrong:
            raise RuntimeError(f"the answers were {wrong}")
        each = int(str(asked.get("batch") or 1))
        count = int(str(asked["orders"])) * len(course.STEPS) if each > 1 else said["requests"]
        return Took(count, said["seconds"], meter.used(), said["waits"], said["cpu"], said["began"])


@contextmanager
def stage() -> Iterator[Stage]:
    """Servers up, tables made; everything is gone afterwards."""
    with ExitStack() as stack:
        found = stack.enter_context(servers())
        made = Stage(found)
        stack.callback(made.stop)
        made.prepare()
        stack.callback(hang_up)
        yield made


def hang_up() -> None:
    """Close what this process has open at the product's database."""
    from django.db import connections

    connections.close_all()
    for connection in connections.all():
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's own


def plainly(words: Sequence[str]) -> list[str]:
    """A command line of the product, for the plain way."""
    return [PLAIN.get(word, word) for word in words]


def free_port() -> int:
    """A port nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], bool], what: str, *, every: float = 0.05) -> float:
    """Wait for it; the moment at which it held."""
    end = time.perf_counter() + PATIENCE_SECONDS
    while not holds():
        if time.perf_counter() > end:
            raise RuntimeError(f"{what} did not come about")
        time.sleep(every)
    return time.perf_counter()


def rows(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """One statement on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []
