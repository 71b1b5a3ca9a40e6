"""The faults that a random run draws from: each does its harm and leaves everything running."""

import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import psycopg

from tests.faults.bed import Bed

Fault = Callable[[Bed, random.Random], None]
# One connection of the product, at work if any is.
BACKEND = """
SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()
ORDER BY state = 'active' DESC, random() LIMIT 1
"""


def web_dies(bed: Bed, chance: random.Random) -> None:
    """F01."""
    bed.installation.kill("web")
    bed.installation.restart("web")


def worker_dies(bed: Bed, chance: random.Random) -> None:
    """F02."""
    name = chance.choice([n for n in bed.installation.processes if n.startswith("worker")])
    bed.installation.kill(name)
    bed.installation.restart(name)


def pool_child_dies(bed: Bed, chance: random.Random) -> None:
    """F03."""
    for name in [n for n in bed.installation.processes if n.startswith("worker-pool")]:
        with suppress(ProcessLookupError, FileNotFoundError):
            children = bed.installation.children(name)
            if children:
                bed.installation.kill_pid(chance.choice(children))


def everything_dies(bed: Bed, chance: random.Random) -> None:
    """F04."""
    for name in bed.installation.processes:
        bed.installation.kill(name)
    for name in bed.installation.processes:
        bed.installation.restart(name)


def database_stops_hard(bed: Bed, chance: random.Random) -> None:
    """F05: as `pg_ctl stop -m immediate`, which asks nobody."""
    bed.cluster.postgres.end(signal.SIGQUIT)
    bed.cluster.postgres.start()


def backend_dies(bed: Bed, chance: random.Random) -> None:
    """F06: PostgreSQL then resets every connection."""
    with suppress(psycopg.OperationalError):
        for (pid,) in bed.cluster.ask("postgres", BACKEND, [bed.installation.database]):
            bed.installation.kill_pid(pid)


def database_is_away(bed: Bed, chance: random.Random) -> None:
    """F07."""
    bed.cluster.postgres.kill()
    time.sleep(chance.uniform(1, 4))
    bed.cluster.postgres.start()


def redis_is_emptied(bed: Bed, chance: random.Random) -> None:
    """F08."""
    bed.cluster.redis(b"FLUSHALL\r\n")


def redis_is_gone(bed: Bed, chance: random.Random) -> None:
    """F09."""
    bed.cluster.valkey.kill()
    time.sleep(chance.uniform(1, 4))
    bed.cluster.valkey.start()


def redis_restarts(bed: Bed, chance: random.Random) -> None:
    """F10."""
    bed.cluster.valkey.kill()
    bed.cluster.valkey.start()


def scheduler_dies(bed: Bed, chance: random.Random) -> None:
    """F11."""
    bed.installation.kill("beat")
    time.sleep(chance.uniform(0, 2))
    bed.installation.restart("beat")


def second_scheduler(bed: Bed, chance: random.Random) -> None:
    """F12: for a while, two of them and one worker more."""
    bed.installation.add("beat-2")
    bed.installation.add("worker-3")
    time.sleep(chance.uniform(2, 5))
    bed.installation.remove("beat-2")
    bed.installation.remove("worker-3")


def worker_freezes(bed: Bed, chance: random.Random) -> None:
    """F13."""
    name = chance.choice([n for n in bed.installation.processes if n.startswith("worker")])
    bed.installation.freeze(name)
    time.sleep(chance.uniform(1, 5))
    bed.installation.resume(name)


def web_freezes(bed: Bed, chance: random.Random) -> None:
    """F14: longer than the senders wait."""
    bed.installation.freeze("web")
    time.sleep(chance.uniform(1, 4))
    bed.installation.resume("web")


FAULTS: Mapping[str, Fault] = {
    "F01": web_dies,
    "F02": worker_dies,
    "F03": pool_child_dies,
    "F04": everything_dies,
    "F05": database_stops_hard,
    "F06": backend_dies,
    "F07": database_is_away,
    "F08": redis_is_emptied,
    "F09": redis_is_gone,
    "F10": redis_restarts,
    "F11": scheduler_dies,
    "F12": second_scheduler,
    "F13": worker_freezes,
    "F14": web_freezes,
}
# Faults of which a process or a server dies of SIGKILL or SIGQUIT.
DEADLY = frozenset({"F01", "F02", "F03", "F04", "F05", "F06", "F07", "F09", "F10", "F11"})
