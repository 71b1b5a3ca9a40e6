"""The benchmark environment: servers, processes of the product and the plain implementation."""

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

from tests.bench import workload
from tests.bench.processes import CpuMeter, ProcessGroup
from tests.bench.servers import BenchServers, servers
from visibility.launcher.process_plan import (
    PROCESS_ENVIRONMENT,
    WORKER_COMMAND,
    scheduler_command,
    web_command,
)

# Replacements that turn a command line of the product into one of the plain implementation.
PLAIN_ARGUMENTS = {
    "visibility.asgi:application": "tests.bench.plain.asgi:application",
    "visibility.celery:app": "tests.bench.plain.celery:app",
    "throughline,master": "plain",
    "visibility.web.intake.header_timeout_protocol:HeaderTimeoutProtocol": "httptools",
}
WAIT_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement: number of messages, seconds, CPU seconds by process."""

    count: int
    seconds: float
    cpu: Mapping[str, float]
    waits: Sequence[float] = ()
    client_cpu: float = 0.0
    started: float = 0.0

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.count / self.seconds

    @property
    def cpu_each(self) -> float:
        """Milliseconds of CPU per message, including the servers."""
        return 1000 * sum(self.cpu.values()) / self.count


class BenchEnvironment:
    """Running servers, and the processes that the benchmarks start on demand."""

    def __init__(self, running: BenchServers) -> None:
        self.servers = running
        self.port, self.plain_port = free_port(), free_port()
        key = secrets.token_urlsafe(48)
        shared = {"SECRET_KEY": key, "REDIS_URL": running.redis, "DATA_DIR": str(running.folder)}
        prefix = f"bench-{os.getpid()}"
        self.environment = {
            **PROCESS_ENVIRONMENT,
            **shared,
            "DJANGO_SETTINGS_MODULE": "visibility.settings",
            "DATABASE_URL": running.product,
            "REDIS_PREFIX": prefix,
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "REQUIRE_SECOND_FACTOR": "0",
            # No rate limit per source.
            "SOURCE_RATE": "1000000",
            "LOG_LEVEL": "WARNING",
        }
        self.product = ProcessGroup(running.folder, self.environment)
        self.plain = ProcessGroup(
            running.folder,
            {
                **PROCESS_ENVIRONMENT,
                **shared,
                "DJANGO_SETTINGS_MODULE": "tests.bench.plain.settings",
                "DATABASE_URL": running.plain,
                "REDIS_PREFIX": f"plain-{prefix}",
            },
        )

    def prepare(self) -> None:
        """Migrate both databases, collect static files and set up Django in this process."""
        self.product.run("django", "migrate", "--skip-checks", "--verbosity", "0")
        self.product.run("django", "collectstatic", "--noinput", "--verbosity", "0")
        self.plain.run("django", "migrate", "--run-syncdb", "--skip-checks", "--verbosity", "0")
        os.environ.update(self.environment)
        import django

        django.setup()

    def start_web(self) -> None:
        """Start the product's web server, unless it is running."""
        if "web" in self.product.pids:
            return
        self.product.start("web", web_command("127.0.0.1", self.port))
        self.product.wait_for_web("web", f"http://127.0.0.1:{self.port}/healthz")

    def start_plain_web(self) -> None:
        """Start the web server of the plain implementation, unless it is running."""
        if "plain_web" in self.plain.pids:
            return
        self.plain.start("plain_web", plain_command(web_command("127.0.0.1", self.plain_port)))
        self.plain.wait_for_web("plain_web", f"http://127.0.0.1:{self.plain_port}/")

    def start_worker(self, name: str = "worker") -> None:
        """Start a worker."""
        self.product.start(name, WORKER_COMMAND)

    def start_scheduler(self) -> None:
        """Start the scheduler."""
        self.product.start("scheduler", scheduler_command(str(self.servers.folder / "beat")))

    def start_plain_worker(self) -> None:
        """Start a worker of the plain implementation."""
        self.plain.start("plain_worker", plain_command(WORKER_COMMAND))

    def stop(self) -> None:
        """Stop all processes except the servers."""
        self.product.stop()
        self.plain.stop()

    def clear(self) -> None:
        """Delete the rows of the plain implementation and all queued tasks."""
        rows(self.servers.plain, "TRUNCATE plain_event, plain_order CASCADE")
        with redis.Redis.from_url(self.servers.redis) as broker:
            for processes in (self.product, self.plain):
                for key in broker.scan_iter(f"{processes.environment['REDIS_PREFIX']}:*", 1000):
                    broker.delete(key)

    def meter(self, processes: ProcessGroup) -> CpuMeter:
        """A CPU meter for these processes and the servers, including PostgreSQL backends."""
        pids = {**processes.pids, "postgres": self.servers.postgres}
        if self.servers.valkey:
            pids["valkey"] = self.servers.valkey
        return CpuMeter(pids)

    def run_load(self, port: int, processes: ProcessGroup, **options: object) -> Measurement:
        """Run the load generator and measure the CPU of the processes."""
        arguments = [a for name, value in options.items() for a in (f"--{name}", str(value))]
        meter = self.meter(processes)
        meter.start()
        result: dict[str, Any] = json.loads(
            processes.run("tests.bench.load_generator", "--port", str(port), *arguments)
        )
        unexpected = {k: n for k, n in result["answers"].items() if k != "202"}
        if unexpected:
            raise RuntimeError(f"unexpected response statuses: {unexpected}")
        batch_size = int(str(options.get("batch") or 1))
        count = (
            int(str(options["orders"])) * len(workload.STEPS)
            if batch_size > 1
            else result["requests"]
        )
        return Measurement(
            count, result["seconds"], meter.used(), result["waits"], result["cpu"], result["began"]
        )


@contextmanager
def bench_environment() -> Iterator[BenchEnvironment]:
    """Start the servers and create the tables; stop and remove everything afterwards."""
    with ExitStack() as stack:
        running = stack.enter_context(servers())
        environment = BenchEnvironment(running)
        stack.callback(environment.stop)
        environment.prepare()
        stack.callback(close_connections)
        yield environment


def close_connections() -> None:
    """Close all database connections of this process."""
    from django.db import connections

    connections.close_all()
    for connection in connections.all():
        connection.close_pool()  # type: ignore[attr-defined]  # only on PostgreSQL


def plain_command(arguments: Sequence[str]) -> list[str]:
    """Translate a command line of the product for the plain implementation."""
    return [PLAIN_ARGUMENTS.get(argument, argument) for argument in arguments]


def free_port() -> int:
    """A free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, *, every: float = 0.05) -> float:
    """Wait until `holds()` is true and return the time. Raises RuntimeError after ten minutes."""
    end = time.perf_counter() + WAIT_TIMEOUT_SECONDS
    while not condition():
        if time.perf_counter() > end:
            raise RuntimeError(f"timeout while waiting for {what}")
        time.sleep(every)
    return time.perf_counter()


def rows(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement on a new connection and return its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []
