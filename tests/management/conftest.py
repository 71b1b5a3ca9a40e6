"""A data folder that the servers' account can reach, and starts that are cleaned up."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.management.starts import Up, all_gone, until


@pytest.fixture
def data() -> Iterator[Path]:
    """pytest's own folder is closed to other accounts."""
    parent = Path(tempfile.mkdtemp(prefix="tl-up-"))
    parent.chmod(0o755)
    yield parent / "var"
    shutil.rmtree(parent)


@pytest.fixture
def up(data: Path) -> Iterator[Callable[..., Up]]:
    """Start on `data`; whatever still runs at the end of the test is stopped."""
    starts: list[Up] = []

    def start(*words: str, **more: Any) -> Up:
        starts.append(Up(more.pop("data", data), *words, **more))
        return starts[-1]

    yield start
    for one in starts:
        if one.process.poll() is None:
            family = one.family()
            one.stop()
            until(partial(all_gone, family), "processes are left")
