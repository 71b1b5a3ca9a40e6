"""The registry of PostgreSQL advisory lock keys.

PostgreSQL has two key spaces that never collide: one `bigint`, and a pair of `int`. A key that is
used as the seed of `hashtextextended` names a family of `bigint` locks, one for each hashed text.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, unique

from django.db import connection


@unique
class LockKey(IntEnum):
    """Every advisory lock of the application. The values must not change between releases."""

    WORKER_INDEX = 4_712  # pair: this key and the index of the worker
    IDEMPOTENCY_KEY = 4_713  # hash seed: user id and key
    KPI_CELLS = 4_714
    KPI_RECORDS = 4_715
    KPI_TARGETS = 4_716
    AUDIT_CHAIN = 4_711_001
    MASTER_IMPORT = 4_711_007
    EXPORT_SLOT = 4_711_008  # pair: this key and the slot
    RULE_EVALUATION = 4_711_009
    BACKGROUND_EXPORT = 4_711_010
    ORGANIZATION = 4_711_011
    MAIL_SERVER = 4_711_012
    SESSION_LIMITS = 4_711_013
    CUSTOMER_BRAND = 4_711_014
    IDENTITY_PROVIDER = 4_711_015
    SAML_PROVIDER = 4_711_016
    PASSWORD_CHECKS = 4_711_020
    DEMO_DATA = 4_711_021
    TELEMETRY = 4_711_022
    RELEASE_CHECK = 4_711_023


def lock_until_commit(key: LockKey) -> None:
    """Wait for the lock, which this transaction keeps to its end. It needs no row to lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


@contextmanager
def try_session_lock(key: LockKey) -> Iterator[bool]:
    """Take the lock of this connection, unless another one has it; the value says whether."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        acquired = bool(cursor.fetchone()[0])
    try:
        yield acquired
    finally:
        if acquired:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
