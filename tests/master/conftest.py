"""One shop, one ERP, and an order told by the shop."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
import pytest

from visibility.ingest.inbox import Arrival, keep
from visibility.master_data import imports
from visibility.master_data.store import Author, Written, write
from visibility.master_data.tables import TABLES
from visibility.models import Order, Source
from visibility.pipeline import stages

Tell = Callable[..., None]


@pytest.fixture(autouse=True)
def _no_bells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visibility.pipeline.stages.nudge", lambda *_: None)


@pytest.fixture
def shop(db: None) -> Source:
    """A source all of whose articles, places and customers must be mapped."""
    return Source.objects.create(
        slug="shop",
        title="Shop",
        connector="cloudevents",
        role="shop",
        config={"governed": "item,location,customer", "order_number": "sales_order@erp"},
    )


@pytest.fixture
def erp(db: None) -> Source:
    """A source whose words are taken as they are."""
    return Source.objects.create(
        slug="erp",
        title="ERP",
        connector="cloudevents",
        role="erp",
        config={"order_number": "sales_order@erp"},
    )


def told(
    source: Source,
    number: str,
    *skus: str,
    at: str = "2026-03-02T15:00:00Z",
    unit: str = "",
    ordered: str = "5",
    word: str = "order.received",
    **attributes: str,
) -> Order:
    """The source tells of an order with these articles; it is folded."""
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
    event = {
        "specversion": "1.0",
        "id": f"{number} {at}",
        "source": source.slug,
        "type": word,
        "time": at,
        "data": data,
    }
    headers = {"content-type": "application/cloudevents+json"}
    keep([Arrival(source.pk, f"{source.slug} {number} {at}", headers, orjson.dumps(event))])
    stages.advance()
    return Order.objects.get(number=number)


def put(code: str, *rows: Mapping[str, Any], now: datetime) -> Written:
    """Write master rows."""
    table = TABLES[code]
    made = [table.read({name: str(value) for name, value in row.items()}) for row in rows]
    return write(table, made, by=Author(None, "test", now))


def mapped(theirs: str, ours: str, *, now: datetime, **more: str) -> Written:
    """An article of the shop means one of ours."""
    row = {"table": "item", "source": "shop", "theirs": theirs, "ours": ours, **more}
    return put("mapping", row, now=now)


def settle() -> None:
    """What the lane and the fold would do until nothing is left."""
    stages.tend_master(imports.Pace())
    stages.fold_all()
