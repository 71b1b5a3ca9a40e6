"""One transaction for the tests of a module, which share its data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

PLAIN_FILES = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@contextmanager
def rolled_back_at_end(folder: Path, blocker: DjangoDbBlocker, **changed: Any) -> Iterator[None]:
    """Allow the database in a transaction, with these settings and plain static files."""
    storages = {**settings.STORAGES, "staticfiles": PLAIN_FILES}
    context = override_settings(DATA_DIR=str(folder), STORAGES=storages, **changed)
    with blocker.unblock(), context, transaction.atomic():
        yield
        transaction.set_rollback(True)
