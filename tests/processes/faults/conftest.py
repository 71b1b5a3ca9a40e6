"""One fault test environment per test process, repaired after each test."""

from collections.abc import Iterator

import pytest

from tests.processes.faults.environment import FaultEnvironment
from tests.servers import _folder


@pytest.fixture(scope="session")
def _session_environment() -> Iterator[FaultEnvironment]:
    """The environment, created once per session."""
    created = FaultEnvironment(_folder())
    created.start()
    yield created
    created.stop()


@pytest.fixture
def environment(_session_environment: FaultEnvironment) -> Iterator[FaultEnvironment]:
    """With web, one worker and one scheduler. Processes that a test adds are removed after it."""
    yield _session_environment
    _session_environment.repair()
