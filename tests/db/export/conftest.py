"""Fixtures: three processed orders, and a function that writes exports."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import exported_order
from visibility.db.database_time import database_now
from visibility.export.export_orders_in_format import Format, export_orders
from visibility.export.redaction import NO_REDACTION, Redaction
from visibility.export.snapshot_to_temp_tables import OrderSelection
from visibility.models import Source

ExportWriter = Callable[..., Path]


@pytest.fixture
def sources(db: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Source]:
    """The sources, after all events are processed."""
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )
    return exported_order.receive_story()


@pytest.fixture
def write_export(sources: dict[str, Source], tmp_path: Path) -> ExportWriter:
    """A function that writes an export and returns its path."""

    def write(
        format: Format, selection: OrderSelection | None = None, *, sight: Redaction = NO_REDACTION
    ) -> Path:
        suffix = ".sqlite" if format is Format.OCEL_SQLITE else ".json"
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}{suffix}"
        now = database_now()
        export_orders(
            selection or OrderSelection(), format=format, path=path, redaction=sight, now=now
        )
        return path

    return write
