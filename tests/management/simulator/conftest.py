"""A small world that every test shares, and a sink."""

from collections.abc import Iterator

import pytest

from tests.management.simulator.sink import Sink
from visibility.simulator.generator import DAY, Setting, World

# Wednesday, 2026-07-15 15:00 UTC.
STARTED = 1_784_127_600.0


def setting(**changes: object) -> Setting:
    """Ten days of thirty orders before the start."""
    plain = {"seed": 3, "days": 10, "per_day": 30.0, "speed": 60.0}
    return Setting(anchor=STARTED - STARTED % DAY, started=STARTED, **{**plain, **changes})  # type: ignore[arg-type] # the tests name fields


@pytest.fixture(scope="session")
def world() -> World:
    return World(setting())


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()
