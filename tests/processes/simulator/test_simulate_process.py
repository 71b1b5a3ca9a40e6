"""`manage.py simulate` as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.sink import RecordingServer

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def sink() -> Iterator[RecordingServer]:
    """A server that stores what it receives."""
    server = RecordingServer()
    yield server
    server.close()


@pytest.fixture
def data_dir(tmp_path: Path, sink: RecordingServer) -> Path:
    """A data folder with a setup file that points to the sink."""
    sink.write_setup(tmp_path)
    return tmp_path


def test_command_exits_with_0_on_sigterm(data_dir: Path, sink: RecordingServer) -> None:
    arguments = ["simulate", "--live", "--days", "2", "--orders-per-day", "5", "--speed", "2"]
    environment = {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "visibility.settings",
        "SECRET_KEY": "only-for-this-test-0123456789-0123456789",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "django", *arguments],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = next(x for x in process.stdout if "done" in x)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - started < 5
    assert line.startswith("backfill done:")
    assert len(sink.posts) > 50
