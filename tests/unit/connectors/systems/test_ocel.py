"""OCEL: pieces of orders, products, and attributes of events."""

from typing import Any

import orjson
import pytest

from connectors.sdk.connector import ParseResult, RawMessage
from connectors.sdk.events import CanonicalEvent, ObjectKind
from connectors.systems.ocel.connector import Ocel
from tests.builders.order_line_log import START, STEPS, log_of_steps


def parse(log: dict[str, Any]) -> ParseResult:
    return Ocel({"source": "log"}).parse(RawMessage(orjson.dumps(log), {}, START))


def names(event: CanonicalEvent) -> list[tuple[ObjectKind, str]]:
    return [(ref.kind, ref.identifiers[0].value) for ref in event.objects]


def test_each_event_names_what_the_log_names() -> None:
    result = parse(log_of_steps(*STEPS))
    assert (result.errors, result.ignored) == ((), "")
    kinds = {"items": ObjectKind.ORDER_LINE, "packages": ObjectKind.PACKAGE}
    assert [sorted(value for _, value in names(event)) for event in result.events] == [
        sorted(step[2].split()) for step in STEPS
    ]
    (packed,) = (e for e in result.events if e.key == "ocel 12")
    assert {kind for kind, _ in names(packed)} == set(kinds.values())
    packages = [packed.objects[line.package_index].kind for line in packed.lines]
    assert packages == [ObjectKind.PACKAGE] * 3
    pieces = [packed.objects[line.order_line_index].identifiers[0].value for line in packed.lines]
    assert pieces == [line.line_id for line in packed.lines] == ["a1", "a2", "b1"]


def with_products(*orders_of_product: str) -> dict[str, Any]:
    """A log whose object relations name the orders of a product, which is then picked."""
    related = [{"objectId": order, "qualifier": ""} for order in orders_of_product]
    return {
        "objects": [
            {"id": "lamp", "type": "products", "relationships": related},
            *({"id": order, "type": "orders"} for order in orders_of_product),
        ],
        "events": [
            {
                "id": "1",
                "type": "pick item",
                "time": "2026-03-02T10:00:00Z",
                "relationships": [{"objectId": "lamp", "qualifier": ""}],
            }
        ],
    }


def test_product_of_one_order_is_a_line_of_it() -> None:
    (event,) = parse(with_products("A")).events
    assert names(event) == [(ObjectKind.ORDER, "A")]
    assert [(line.sku, line.order_index) for line in event.lines] == [("lamp", 0)]


def test_pick_of_a_product_of_several_orders_belongs_to_none() -> None:
    result = parse(with_products("A", "B"))
    assert result.events == ()
    assert result.ignored == "1 event names no order and no object of an order: 1"


def test_events_without_an_order_are_counted_on_the_message() -> None:
    log = with_products("A", "B")
    log["events"] = [{**log["events"][0], "id": str(number)} for number in range(7)]
    assert parse(log).ignored == (
        "7 events name no order and no object of an order: 0, 1, 2, 3, 4, ..."
    )


def test_own_names_of_types_win() -> None:
    connector = Ocel({"source": "log", "objects": "items=item, Pieces=order_line"})
    log = log_of_steps(STEPS[0])
    (event,) = connector.parse(RawMessage(orjson.dumps(log), {}, START)).events
    assert names(event) == [(ObjectKind.ORDER, "A")]
    assert [line.order_line_index for line in event.lines] == [-1, -1, -1]


def placed_with_attributes(*attributes: tuple[str, object]) -> ParseResult:
    log = log_of_steps(STEPS[0])
    log["events"][0]["attributes"] = [{"name": name, "value": value} for name, value in attributes]
    return parse(log)


def test_attributes_without_a_meaning_have_their_own_names() -> None:
    (event,) = placed_with_attributes(
        ("Weight", 3.52), ("weight", "other"), ("gift", True), ("carrier", "UPS"), ("empty", "")
    ).events
    assert event.other_attributes == {"Weight": "3.52", "gift": "true"}


@pytest.mark.parametrize(
    "attributes",
    [
        [("n" * 101, "1")],
        [("note", "x" * 2001)],
        [(f"a{number}", "1") for number in range(101)],
    ],
)
def test_event_with_too_many_or_too_long_attributes_is_parked(
    attributes: list[tuple[str, object]],
) -> None:
    result = placed_with_attributes(*attributes)
    assert result.events == ()
    assert [error.reason.value for error in result.errors] == ["size"]
