"""What small systems say of orders, and what comes of it; for the tests of who is who."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.db import connection

from visibility.ingest.inbox import Arrival, keep
from visibility.models import Identifier, InboundMessage, Order, Source
from visibility.operations.canonical_dump import facts
from visibility.pipeline import stages

START = datetime(2024, 6, 3, 9, tzinfo=UTC)
LATER = datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROLES = {"shop": "shop", "erp": "erp", "wms": "wms", "carrier": "carrier", "finance": "finance"}
DERIVED = (
    "visibility_messagekey, visibility_inbound_message, visibility_event, "
    "visibility_businessobject, visibility_identifier, visibility_kpicell, visibility_dirtycell"
)


@dataclass(frozen=True)
class Word:
    """One message of one system."""

    source: str
    kind: str
    day: float
    data: dict[str, Any]


def word(source: str, kind: str, day: float, **data: Any) -> Word:
    """`order="SO-1"` or `order={"number": ..., "id": ...}`, `tracking=`, `invoice=` and so on."""
    return Word(source, kind, day, data)


def connect(**config: dict[str, str]) -> dict[str, Source]:
    """The systems; those that repeat the ERP's numbers say so."""
    repeated = {"order_number": "sales_order@erp"}
    return {
        slug: Source.objects.create(
            slug=slug,
            title=slug.title(),
            connector="cloudevents",
            role=role,
            config=config.get(slug, {} if slug == "shop" else repeated),
        )
        for slug, role in ROLES.items()
    }


def tell(words: Iterable[Word], *, fold: bool = True) -> None:
    """Keep the messages as the intake does, and take them through."""
    arrivals = []
    for w in words:
        source = Source.objects.get(slug=w.source)
        at = START + w.day * DAY
        name = f"{w.source} {w.kind} {w.day} {orjson.dumps(w.data).decode()}"
        event = {"specversion": "1.0", "id": name, "source": w.source, "type": w.kind}
        body = orjson.dumps({**event, "time": at.isoformat(), "data": w.data})
        kind = {"content-type": "application/cloudevents+json"}
        arrivals.append(Arrival(source.pk, name[:250], kind, body))
    keep(arrivals)
    if fold:
        stages.advance()
        assert not InboundMessage.objects.exclude(state="applied").exists()


def exported() -> list[bytes]:
    """The facts as they stand."""
    return list(facts(as_of=LATER))


def forget() -> None:
    """Everything that was said, and what followed; what people decided stays."""
    with connection.cursor() as cursor:
        cursor.execute("SET client_min_messages = warning; SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"TRUNCATE {DERIVED} CASCADE")


def order_of(value: str) -> Order:
    """The order that goes by a number."""
    return Order.objects.get(
        pk=Identifier.objects.get(kind="order", strong=True, value=value).object_id
    )


def keys() -> list[str]:
    """The canonical keys of all orders."""
    return sorted(Order.objects.values_list("key", flat=True))


def olga() -> User:
    """Somebody who decides."""
    return User.objects.get_or_create(username="olga")[0]
