"""Which objects an event relates by naming them together."""

import pytest

from visibility.identity.parent_child_object_relations import relations_of_events

ORDERS = {"A": 1, "B": 2}
OBJECTS = {**ORDERS, "a1": 11, "b1": 21, "p": 31, "s": 41, "v": 51}
KINDS = {"a1": "order_line", "b1": "order_line", "p": "package", "s": "shipment", "v": "invoice"}


def related(*names: str) -> set[tuple[str, str]]:
    by_id = {object_id: name for name, object_id in OBJECTS.items()}
    links = [(7, KINDS.get(name, "order"), OBJECTS[name]) for name in names]
    return {(by_id[parent], by_id[child]) for parent, child, _ in relations_of_events(links)}


@pytest.mark.parametrize(
    ("names", "relations"),
    [
        ("A a1 b1", {("A", "a1"), ("A", "b1")}),
        ("A A a1", {("A", "a1")}),
        ("A B a1", set()),
        ("A a1 p", {("A", "a1"), ("A", "p")}),
        ("A B a1 p", {("A", "p"), ("B", "p")}),
        ("a1 b1 p", {("a1", "p"), ("b1", "p")}),
        ("a1 s p", {("a1", "s"), ("a1", "p"), ("s", "p")}),
        ("a1 v", {("a1", "v")}),
        ("a1 b1", set()),
    ],
)
def test_order_lines_stand_for_their_orders_where_an_event_names_none(
    names: str, relations: set[tuple[str, str]]
) -> None:
    assert related(*names.split()) == relations


def test_lines_of_an_event_with_an_ambiguous_order_have_no_order_yet() -> None:
    links = [(7, "order", 1), (7, "order_line", 11), (7, "package", 31), (8, "order", 1)]
    links.append((8, "order_line", 21))
    assert relations_of_events(links, events_with_ambiguous_orders={7}) == [(1, 21, 8), (1, 31, 7)]
