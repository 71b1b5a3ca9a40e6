"""A receiver of real HTTP requests that an administrator allows."""

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from tests.builders.sink import RecordingServer


@pytest.fixture
def server(settings: Settings) -> Iterator[RecordingServer]:
    running = RecordingServer()
    settings.OUTGOING_ALLOWED = [running.url.removeprefix("http://")]
    yield running
    running.close()
