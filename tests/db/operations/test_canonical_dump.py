"""The canonical dump: sorted lines, filters, and memory that does not grow with the orders."""

import tracemalloc
from io import StringIO

import orjson
import pytest
from django.core.management import CommandError, call_command

from tests.builders.identity import (
    LATER,
    START,
    SourceMessage,
    create_sources,
    process_messages,
    source_message,
)
from visibility.models import Order
from visibility.operations import canonical_dump
from visibility.operations.canonical_dump import dump_lines

pytestmark = pytest.mark.django_db


def received(number: int | str, *, day: float = 0, channel: str = "web") -> SourceMessage:
    lines = [{"line_id": f"{n}", "sku": f"A{n}", "ordered": 5} for n in range(5)]
    attributes = {"channel": channel}
    return source_message(
        "erp", "order.received", day, order=f"SO-{number}", lines=lines, attributes=attributes
    )


def dumped_orders(*options: str) -> list[str]:
    output = StringIO()
    call_command("dump_state", *options, stdout=output)
    lines = [orjson.loads(line) for line in output.getvalue().splitlines()]
    assert {line["kind"] for line in lines} <= {"order"}
    return [line["key"].rpartition("-")[2] for line in lines]


def test_lines_are_sorted_by_kind_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical_dump, "CHUNK_SIZE", 2)
    create_sources()
    process_messages(received(number) for number in ("b", "É", "a", "Z", "10", "9", "漢"))
    lines = [orjson.loads(line) for line in dump_lines(as_of=LATER)]
    keys = [(line["kind"], line["key"]) for line in lines]
    assert keys == sorted(keys)
    assert [kind for kind, _ in keys].count("order") == 7
    assert keys[0][0] == "kpi"


def test_filters_select_orders_by_source_channel_and_time() -> None:
    create_sources()
    process_messages(
        [
            received(1, day=0),
            received(2, day=1, channel="edi"),
            received(3, day=2),
            source_message("wms", "shipment.confirmed", 2.5, order="SO-3", shipment="S3"),
            source_message("wms", "shipment.confirmed", 0.5, order="SO-1", tracking="1Z1"),
            source_message("carrier", "shipment.delivered", 4, tracking="1Z1"),
        ]
    )
    assert dumped_orders("--source", "wms") == ["1", "3"]
    assert dumped_orders("--source", "carrier") == ["1"]
    assert dumped_orders("--channel", "edi") == ["2"]
    day = START.replace(hour=0).isoformat()
    assert dumped_orders("--since", day.replace("-03T", "-05T")) == ["1", "3"]
    assert dumped_orders("--until", day.replace("-03T", "-05T")) == ["2"]
    assert dumped_orders("--source", "wms", "--until", day.replace("-03T", "-06T")) == ["3"]
    with pytest.raises(CommandError, match="there is no source 'nobody'"):
        dumped_orders("--source", "nobody")


def peak_of_dump() -> int:
    """The most memory that Python held during a dump, in bytes."""
    tracemalloc.start()
    try:
        assert sum(b'"kind":"order"' in line for line in dump_lines(as_of=LATER)) == (
            Order.objects.count()
        )
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_of_the_dump_does_not_grow_with_the_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical_dump, "CHUNK_SIZE", 10)
    create_sources()
    process_messages(received(number) for number in range(20))
    list(dump_lines(as_of=LATER))  # fills what is cached once
    few = peak_of_dump()
    process_messages(received(number) for number in range(20, 80))
    assert peak_of_dump() < 1.5 * few
