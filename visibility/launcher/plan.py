"""The processes of the product, in the order in which they start."""

import hashlib
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from visibility.launcher.instance import CHECKOUT
from visibility.launcher.process import Child, python

# glibc keeps an arena of freed memory for each thread; two are enough for three threads of Python.
ENVIRONMENT: Mapping[str, str] = {"MALLOC_ARENA_MAX": "2"}
WORKER = (
    *("celery", "-A", "visibility.celery:app", "worker", "--pool", "threads"),
    *("--concurrency", "3", "--queues", "throughline,master"),
    *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
)


def web(host: str, port: int) -> tuple[str, ...]:
    """The web server's words, here and in containers."""
    return (
        *("uvicorn", "visibility.asgi:application", "--host", host, "--port", str(port)),
        *("--lifespan", "off", "--no-access-log", "--log-level", "warning"),
        *("--http", "visibility.web.intake.uvicorn_protocol:Protocol", "--ws", "websockets"),
        # A message is shorter than what compressing it would cost each socket in memory.
        *("--ws-per-message-deflate", "false"),
        *("--timeout-graceful-shutdown", "5"),
    )


def scheduler(schedule: str) -> tuple[str, ...]:
    """The scheduler's words; `schedule` is the file it keeps its times in."""
    return (
        *("celery", "-A", "visibility.celery:bells", "beat"),
        *("--schedule", schedule, "--loglevel", "WARNING"),
    )


@dataclass(frozen=True)
class Start:
    """What one start was asked for."""

    data: Path
    port: int
    demo: bool
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Steps that end, then processes that stay, then those that need the pages."""

    steps: tuple[tuple[Child, ...], ...]
    stay: tuple[Child, ...]
    after_ready: tuple[Child, ...] = ()
    probe: str = "/readyz"


def product(start: Start) -> Plan:
    """The whole product."""

    def child(
        name: str, *words: str, speaks: bool = False, once: bool = False, patience: int = 10
    ) -> Child:
        return Child(
            name,
            python(*words),
            environment={**ENVIRONMENT, **start.environment},
            folder=CHECKOUT,
            speaks=speaks,
            once=once,
            patience=timedelta(seconds=patience),
        )

    prepare = [
        child("migrate", "django", "migrate", "--skip-checks", "--verbosity", "0", once=True)
    ]
    if not static_is_current(start.data):
        words = ("collectstatic", "--noinput", "--verbosity", "0")
        prepare.append(child("collectstatic", "django", *words, once=True))
    steps = [tuple(prepare)]
    if start.demo:
        steps.append((child("demo", "django", "demo", speaks=True, once=True),))
    simulator = Child(
        "simulator",
        python("django", "simulate", "--live"),
        environment=start.environment,
        folder=CHECKOUT,
        speaks=True,
        may_end=True,
        stop_signal=signal.SIGTERM,
    )
    return Plan(
        steps=tuple(steps),
        stay=(
            child("web", *web("127.0.0.1", start.port)),
            child("worker", *WORKER, patience=15),
            child("scheduler", *scheduler(str(start.data / "run" / "beat"))),
        ),
        after_ready=(simulator,) if start.demo else (),
    )


def static_is_current(data: Path) -> bool:
    """Whether the collected files are those of this checkout."""
    stamp = data / "run" / "static.stamp"
    manifest = data / "static" / "staticfiles.json"
    return manifest.is_file() and stamp.is_file() and stamp.read_text() == _static_stamp()


def note_static(data: Path) -> None:
    """The files were collected."""
    (data / "run" / "static.stamp").write_text(_static_stamp())


def _static_stamp() -> str:
    """Names, sizes and times of our files; the lock stands for those of others."""
    digest = hashlib.sha256()
    lock = CHECKOUT / "requirements.lock"
    settings = CHECKOUT / "visibility" / "settings.py"
    own = (path for path in (CHECKOUT / "static").rglob("*") if path.is_file())
    for path in sorted([lock, settings, *own]):
        found = path.stat()
        digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
