"""A small world that all tests share, and a sink."""

from collections.abc import Iterator

import pytest

from tests.builders.sink import RecordingServer
from visibility.simulator.generator import DAY, SimulatedWorld, WorldSetting

# Wednesday, 2026-07-15 15:00 UTC.
STARTED = 1_784_127_600.0


def world_setting(**changes: object) -> WorldSetting:
    """Ten days of thirty orders before the start."""
    defaults = {"seed": 3, "days": 10, "per_day": 30.0, "speed": 60.0}
    return WorldSetting(anchor=STARTED - STARTED % DAY, started=STARTED, **{**defaults, **changes})  # type: ignore[arg-type] # the tests name fields


@pytest.fixture(scope="session")
def world() -> SimulatedWorld:
    return SimulatedWorld(world_setting())


@pytest.fixture
def sink() -> Iterator[RecordingServer]:
    server = RecordingServer()
    yield server
    server.close()
