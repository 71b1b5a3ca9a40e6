"""Fixtures and builders: a shop, an ERP, orders and master data rows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.builders.cloudevents import cloudevent
from tests.builders.sources import ERP_NUMBERS, cloudevent_message, create_source
from visibility.ingest.insert_messages import store_messages
from visibility.master_data import imports
from visibility.master_data.change_author_and_origin import ChangeContext
from visibility.master_data.tables import TABLES
from visibility.master_data.write_and_restore_rows import RowWriteCountsAndChangeIds, write_rows
from visibility.models import MasterImport, Order, Source
from visibility.pipeline import job_functions

GOVERNED = "item,location,customer"


@pytest.fixture(autouse=True)
def _no_nudge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "visibility.pipeline.job_functions.ask_worker_to_run_job_now", lambda *_: None
    )


@pytest.fixture
def shop(db: None) -> Source:
    """A source whose items, locations and customers require a mapping."""
    return create_source("shop", role="shop", config={"governed": GOVERNED, **ERP_NUMBERS})


@pytest.fixture
def erp(db: None) -> Source:
    """A source that requires no mapping."""
    return create_source("erp", role="erp", config=dict(ERP_NUMBERS))


def receive_order(
    source: Source,
    number: str,
    *skus: str,
    at: str = "2026-03-02T15:00:00Z",
    unit: str = "",
    ordered: str = "5",
    event_type: str = "order.received",
    **attributes: str,
) -> Order:
    """Receive and process an order event with these items; return the order."""
    lines = [
        {
            "line_id": str(n),
            "sku": sku,
            "description": f"about {sku}",
            "ordered": ordered,
            "unit": unit,
        }
        for n, sku in enumerate(skus, 1)
    ]
    attributes = {"channel": "b2b", **attributes}
    data = {"order": {"number": number}, "lines": lines, "attributes": attributes}
    event = cloudevent(event_type, data, event_id=f"{number} {at}", at=at, source=source.slug)
    store_messages([cloudevent_message(source, event)])
    job_functions.process_messages_and_refold()
    return Order.objects.get(number=number)


def put_rows(code: str, *rows: Mapping[str, Any], now: datetime) -> RowWriteCountsAndChangeIds:
    """Write master rows."""
    table = TABLES[code]
    parsed_rows = [
        table.parse_row_or_raise_invalid_cell({name: str(value) for name, value in row.items()})
        for row in rows
    ]
    return write_rows(table, parsed_rows, context=ChangeContext(None, "test", now))


def store_file(
    code: str, content: bytes | str, *, now: datetime, apply: bool = True, format: str = "csv"
) -> MasterImport:
    """Store a file for import."""
    body = content.encode() if isinstance(content, str) else content
    return imports.store_import_file(
        TABLES[code], [body], name="f", format=format, auto_apply=apply, user=None, now=now
    )


def map_item(
    external: str, canonical: str, *, now: datetime, **more: str
) -> RowWriteCountsAndChangeIds:
    """Map an item number of the shop to one of our items."""
    row = {"kind": "item", "source": "shop", "external": external, "canonical": canonical, **more}
    return put_rows("mapping", row, now=now)


def process_all() -> None:
    """Run pending imports, backfills and refolds to completion."""
    job_functions.import_master_data_and_enqueue_refolds(imports.Throttle())
    job_functions.refold_touched_orders_and_update_kpi_cells()
