"""The product's processes and their start order."""

import hashlib
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from visibility.launcher.instance_lock_and_environment import CHECKOUT
from visibility.launcher.start_process_and_rotate_log import ProcessDefinition, python_child_command

# glibc keeps an arena of freed memory per thread. Two are enough for three Python threads.
PROCESS_ENVIRONMENT: Mapping[str, str] = {"MALLOC_ARENA_MAX": "2"}
WORKER_COMMAND = (
    *("celery", "-A", "visibility.celery:app", "worker", "--pool", "threads"),
    *("--concurrency", "3", "--queues", "throughline,master"),
    *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
)


def web_command(host: str, port: int) -> tuple[str, ...]:
    """The command line of the web server, here and in containers."""
    return (
        *("uvicorn", "visibility.asgi:application", "--host", host, "--port", str(port)),
        *("--lifespan", "off", "--no-access-log", "--log-level", "warning"),
        *(
            "--http",
            "visibility.web.intake.header_timeout_protocol:HeaderTimeoutProtocol",
            "--ws",
            "websockets-sansio",
        ),
        # Messages are short, and compression would cost memory for each socket.
        *("--ws-per-message-deflate", "false"),
        *("--timeout-graceful-shutdown", "5"),
    )


def scheduler_command(schedule_file: str) -> tuple[str, ...]:
    """The command line of the scheduler; `schedule_file` stores its last run times."""
    return (
        *("celery", "-A", "visibility.celery:scheduler_app", "beat"),
        *("--schedule", schedule_file, "--loglevel", "WARNING"),
    )


@dataclass(frozen=True)
class StartOptions:
    """The options of one start."""

    data: Path
    port: int
    demo: bool
    environment: Mapping[str, str]
    # Overrides `environment` for the migrations, which another database role may run.
    migration_environment: Mapping[str, str] = field(default_factory=dict)
    demo_arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProcessPlan:
    """Setup steps, then services, then processes that need the web server.

    The children of one step run at the same time.
    """

    setup_steps: tuple[tuple[ProcessDefinition, ...], ...]
    services: tuple[ProcessDefinition, ...]
    after_ready: tuple[ProcessDefinition, ...] = ()
    probe_path: str = "/healthz"


def product_plan(start: StartOptions) -> ProcessPlan:
    """The plan for all processes of the product."""

    def child(
        name: str,
        *arguments: str,
        output_to_terminal: bool = False,
        is_setup_step: bool = False,
        stop_seconds: int = 10,
    ) -> ProcessDefinition:
        return ProcessDefinition(
            name,
            python_child_command(*arguments),
            environment={**PROCESS_ENVIRONMENT, **start.environment},
            folder=CHECKOUT,
            output_to_terminal=output_to_terminal,
            is_setup_step=is_setup_step,
            stop_timeout=timedelta(seconds=stop_seconds),
        )

    migrate = child(
        "migrate", "django", "migrate", "--skip-checks", "--verbosity", "0", is_setup_step=True
    )
    migration_environment = {**migrate.environment, **start.migration_environment}
    first_step = [replace(migrate, environment=migration_environment)]
    if not static_is_current(start.data):
        collectstatic = ("collectstatic", "--noinput", "--verbosity", "0")
        first_step.append(child("collectstatic", "django", *collectstatic, is_setup_step=True))
    steps = [tuple(first_step)]
    if start.demo:
        demo = ("django", "demo", *start.demo_arguments)
        steps.append((child("demo", *demo, output_to_terminal=True, is_setup_step=True),))
    simulator = ProcessDefinition(
        "simulator",
        python_child_command("django", "simulate", "--live"),
        environment=start.environment,
        folder=CHECKOUT,
        output_to_terminal=True,
        may_exit=True,
        stop_signal=signal.SIGTERM,
    )
    setup_link = replace(
        child("setup_link", "django", "setup_link", "--if-needed", output_to_terminal=True),
        may_exit=True,
    )
    return ProcessPlan(
        setup_steps=tuple(steps),
        services=(
            child("web", *web_command("127.0.0.1", start.port)),
            child("worker", *WORKER_COMMAND, stop_seconds=15),
            child("scheduler", *scheduler_command(str(start.data / "run" / "beat"))),
        ),
        after_ready=(simulator if start.demo else setup_link,),
    )


def static_is_current(data: Path) -> bool:
    """Return whether the collected static files match this checkout."""
    stamp = data / "run" / "static.stamp"
    manifest = data / "static" / "staticfiles.json"
    return manifest.is_file() and stamp.is_file() and stamp.read_text() == _static_stamp()


def record_static_stamp(data: Path) -> None:
    """Record that the current static files were collected."""
    (data / "run" / "static.stamp").write_text(_static_stamp())


def _static_stamp() -> str:
    """A digest of names, sizes and times. The lock file represents the packages' static files."""
    digest = hashlib.sha256()
    lock = CHECKOUT / "requirements.lock"
    settings = CHECKOUT / "visibility" / "settings.py"
    static_files = (path for path in (CHECKOUT / "static").rglob("*") if path.is_file())
    for path in sorted([lock, settings, *static_files]):
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
