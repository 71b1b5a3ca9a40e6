"""The faults of a random run. Each causes its damage and restarts what it stopped."""

import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import psycopg

from tests.processes.faults.environment import FaultEnvironment

FaultFunction = Callable[[FaultEnvironment, random.Random], None]
# One connection of the product, preferably an active one.
BACKEND = """
SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()
ORDER BY state = 'active' DESC, random() LIMIT 1
"""


def kill_web(environment: FaultEnvironment, rng: random.Random) -> None:
    """F01: the web process is killed."""
    environment.installation.kill("web")
    environment.installation.restart("web")


def kill_worker(environment: FaultEnvironment, rng: random.Random) -> None:
    """F02: a worker is killed."""
    name = rng.choice([n for n in environment.installation.processes if n.startswith("worker")])
    environment.installation.kill(name)
    environment.installation.restart(name)


def kill_pool_child(environment: FaultEnvironment, rng: random.Random) -> None:
    """F03: a child process of a prefork worker is killed."""
    for name in [n for n in environment.installation.processes if n.startswith("worker-pool")]:
        with suppress(ProcessLookupError, FileNotFoundError):
            children = environment.installation.children(name)
            if children:
                environment.installation.kill_pid(rng.choice(children))


def kill_everything(environment: FaultEnvironment, rng: random.Random) -> None:
    """F04: all processes of the product are killed."""
    for name in environment.installation.processes:
        environment.installation.kill(name)
    for name in environment.installation.processes:
        environment.installation.restart(name)


def crash_database(environment: FaultEnvironment, rng: random.Random) -> None:
    """F05: as `pg_ctl stop -m immediate`, without a clean shutdown."""
    environment.cluster.postgres.end(signal.SIGQUIT)
    environment.cluster.postgres.start()


def kill_database_backend(environment: FaultEnvironment, rng: random.Random) -> None:
    """F06: PostgreSQL then resets every connection."""
    with suppress(psycopg.OperationalError):
        for (pid,) in environment.cluster.query(
            "postgres", BACKEND, [environment.installation.database]
        ):
            environment.installation.kill_pid(pid)


def take_database_down(environment: FaultEnvironment, rng: random.Random) -> None:
    """F07: the database is down for some seconds."""
    environment.cluster.postgres.kill()
    time.sleep(rng.uniform(1, 4))
    environment.cluster.postgres.start()


def flush_redis(environment: FaultEnvironment, rng: random.Random) -> None:
    """F08: all keys in Redis are deleted."""
    environment.cluster.valkey_command(b"FLUSHALL\r\n")


def take_redis_down(environment: FaultEnvironment, rng: random.Random) -> None:
    """F09: Redis is down for some seconds."""
    environment.cluster.valkey.kill()
    time.sleep(rng.uniform(1, 4))
    environment.cluster.valkey.start()


def restart_redis(environment: FaultEnvironment, rng: random.Random) -> None:
    """F10: Redis restarts."""
    environment.cluster.valkey.kill()
    environment.cluster.valkey.start()


def kill_scheduler(environment: FaultEnvironment, rng: random.Random) -> None:
    """F11: the scheduler is killed."""
    environment.installation.kill("beat")
    time.sleep(rng.uniform(0, 2))
    environment.installation.restart("beat")


def run_second_scheduler(environment: FaultEnvironment, rng: random.Random) -> None:
    """F12: two schedulers and one more worker for a few seconds."""
    environment.installation.add("beat-2")
    environment.installation.add("worker-3")
    time.sleep(rng.uniform(2, 5))
    environment.installation.remove("beat-2")
    environment.installation.remove("worker-3")


def suspend_worker(environment: FaultEnvironment, rng: random.Random) -> None:
    """F13: a worker is suspended."""
    name = rng.choice([n for n in environment.installation.processes if n.startswith("worker")])
    environment.installation.suspend(name)
    time.sleep(rng.uniform(1, 5))
    environment.installation.resume(name)


def suspend_web(environment: FaultEnvironment, rng: random.Random) -> None:
    """F14: may be longer than the senders' timeout."""
    environment.installation.suspend("web")
    time.sleep(rng.uniform(1, 4))
    environment.installation.resume("web")


FAULTS: Mapping[str, FaultFunction] = {
    "F01": kill_web,
    "F02": kill_worker,
    "F03": kill_pool_child,
    "F04": kill_everything,
    "F05": crash_database,
    "F06": kill_database_backend,
    "F07": take_database_down,
    "F08": flush_redis,
    "F09": take_redis_down,
    "F10": restart_redis,
    "F11": kill_scheduler,
    "F12": run_second_scheduler,
    "F13": suspend_worker,
    "F14": suspend_web,
}
