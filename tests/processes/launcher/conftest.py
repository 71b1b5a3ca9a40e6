"""A data folder, and instances of `up` that are stopped after the test."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.builders.data_folder import data
from tests.processes.launcher.up_process import UpProcess, all_ended, wait_until

__all__ = ["data", "up"]


@pytest.fixture
def up(data: Path) -> Iterator[Callable[..., UpProcess]]:
    """Start `up` on `data`; running instances are stopped after the test."""
    starts: list[UpProcess] = []

    def start(*arguments: str, **options: Any) -> UpProcess:
        starts.append(UpProcess(options.pop("data", data), *arguments, **options))
        return starts[-1]

    yield start
    for started in starts:
        if started.process.poll() is None:
            processes = started.process_ids()
            started.stop()
            wait_until(partial(all_ended, processes), "processes are left")
