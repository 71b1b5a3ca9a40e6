"""A data folder that the account of the embedded servers can reach."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that other accounts can enter, unlike `tmp_path`."""
    parent = Path(tempfile.mkdtemp(prefix="tl-up-"))
    parent.chmod(0o755)
    yield parent / "var"
    shutil.rmtree(parent)
