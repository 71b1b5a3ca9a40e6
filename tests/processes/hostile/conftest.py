"""Fixture: the product after the cases of a module were sent to it."""

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.processes.hostile.harness import HostileRun, hostile_run


@pytest.fixture(scope="module")
def sent(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[HostileRun]:
    """The product with the SOURCES of the module, after all of its CASES were sent."""
    folder = tmp_path_factory.mktemp("hostile")
    with (
        django_db_blocker.unblock(),
        hostile_run(folder, *request.module.SOURCES) as running,
    ):
        running.send(request.module.CASES)
        yield running
