"""The story of three orders, told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.export import cast
from visibility.db.clock import database_now
from visibility.export.formats import Format, export
from visibility.export.redaction import EVERYTHING, Sight
from visibility.export.snapshot import Selection
from visibility.models import Source

Written = Callable[..., Path]


@pytest.fixture
def told(db: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Source]:
    """The sources that told it."""
    monkeypatch.setattr("visibility.pipeline.stages.nudge", lambda *_: None)
    return cast.tell()


@pytest.fixture
def written(told: dict[str, Source], tmp_path: Path) -> Written:
    """Writes an export and says where."""

    def write(
        format: Format, selection: Selection | None = None, *, sight: Sight = EVERYTHING
    ) -> Path:
        suffix = ".sqlite" if format is Format.OCEL_SQLITE else ".json"
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}{suffix}"
        now = database_now()
        export(selection or Selection(), format=format, path=path, sight=sight, now=now)
        return path

    return write
