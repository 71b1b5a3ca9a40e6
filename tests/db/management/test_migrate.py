"""`manage.py migrate` tries again while other processes hold the locks that it needs."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import OperationalError
from psycopg.errors import LockNotAvailable

from visibility.management.commands import migrate

pytestmark = pytest.mark.django_db


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """The causes with which the next attempts fail."""
    causes: list[Exception] = []

    def handle(*_: Any, **__: Any) -> None:
        if causes:
            raise OperationalError from causes.pop(0)

    monkeypatch.setattr(DjangoMigrate, "handle", handle)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0)
    return causes


def test_a_lock_that_is_not_available_is_waited_for(failures: list[Exception]) -> None:
    failures += [LockNotAvailable(), LockNotAvailable()]
    call_command("migrate", verbosity=0)
    assert failures == []


def test_other_errors_and_endless_locks_end_the_command(failures: list[Exception]) -> None:
    failures += [ConnectionError()]
    with pytest.raises(OperationalError):
        call_command("migrate", verbosity=0)
    failures += [LockNotAvailable() for _ in range(migrate.MAX_ATTEMPTS)]
    with pytest.raises(OperationalError):
        call_command("migrate", verbosity=0)
