"""Give each worker another place in the backlog, so that workers do not wait for each other."""

from collections.abc import Iterator
from contextlib import contextmanager

from visibility.db import bulk
from visibility.db.lock_keys import LockKey

# Messages about one order arrive close together, so workers on adjacent batches would block on the
# same rows. An advisory lock gives each worker an index, and the index an offset in the backlog.
MAX_WORKERS = 16
LOCK_INDEX = "SELECT n FROM generate_series(0, %s) AS n WHERE pg_try_advisory_lock(%s, n) LIMIT 1"
UNLOCK_INDEX = "SELECT pg_advisory_unlock(%s, %s)"


@contextmanager
def reserve_backlog_offset_fraction() -> Iterator[float]:
    """The share of the backlog to skip (0..1), different for each worker that runs at once."""
    with bulk.server_bound_cursor() as cursor:
        cursor.execute(LOCK_INDEX, [MAX_WORKERS - 1, LockKey.WORKER_INDEX])
        row = cursor.fetchone()
    if row is None:
        yield 0.0
        return
    try:
        yield van_der_corput(row[0])
    finally:
        with bulk.server_bound_cursor() as cursor:
            cursor.execute(UNLOCK_INDEX, [LockKey.WORKER_INDEX, row[0]])


def van_der_corput(number: int) -> float:
    """0, 1/2, 1/4, 3/4, 1/8 and so on: evenly spread, however many numbers are used."""
    value, step = 0.0, 0.5
    while number:
        value += step * (number % 2)
        number, step = number // 2, step / 2
    return value
