"""An OCEL log without relations between objects: pieces are named with their order only once.

Orders A (a1, a2, a3), B (b1, b2) and C (c1). Package p1 contains pieces of A and B, p2 of B and C,
and p3 the piece of A that was out of stock. All figures of the tests are counted by hand here.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
# (hour, activity, objects)
STEPS: tuple[tuple[int, str, str], ...] = (
    (0, "place order", "A a1 a2 a3"),
    (1, "place order", "B b1 b2"),
    (2, "place order", "C c1"),
    (3, "confirm order", "A"),
    (4, "item out of stock", "a3"),
    (5, "reorder item", "a3"),
    (6, "pick item", "a1"),
    (7, "pick item", "a2"),
    (8, "pick item", "b1"),
    (9, "pick item", "b2"),
    (10, "pick item", "c1"),
    (20, "create package", "a1 a2 b1 p1"),
    (22, "send package", "p1"),
    (24, "create package", "b2 c1 p2"),
    (26, "send package", "p2"),
    (30, "failed delivery", "p1"),
    (46, "package delivered", "p1"),
    (50, "package delivered", "p2"),
    (52, "pick item", "a3"),
    (54, "create package", "a3 p3"),
    (55, "send package", "p3"),
    (72, "package delivered", "p3"),
    (80, "pay order", "A"),
)
# {order: numbers of its events}
EVENTS_OF_ORDERS = {
    "A": {1, 4, 5, 6, 7, 8, 12, 13, 16, 17, 19, 20, 21, 22, 23},
    "B": {2, 9, 10, 12, 13, 14, 15, 16, 17, 18},
    "C": {3, 11, 14, 15, 18},
}


def hour(hours: float) -> datetime:
    """The time so many hours after the start of the log."""
    return START + timedelta(hours=hours)


def object_type(object_id: str) -> str:
    """The object type of an id: orders are capital letters, packages start with p."""
    return "orders" if object_id.isupper() else "packages" if object_id[0] == "p" else "items"


def log_of_steps(*steps: tuple[int, str, str]) -> dict[str, Any]:
    """The steps as an OCEL 2.0 document; an event is named by its number."""
    ids = sorted({name for _, _, names in steps for name in names.split()})
    numbers = {step: number for number, step in enumerate(STEPS, 1)}
    return {
        "objectTypes": [
            {"name": name, "attributes": []} for name in ("orders", "items", "packages")
        ],
        "eventTypes": [
            {"name": name, "attributes": [{"name": "weight", "type": "string"}]}
            for name in sorted({activity for _, activity, _ in steps})
        ],
        "objects": [{"id": name, "type": object_type(name)} for name in ids],
        "events": [
            {
                "id": str(numbers.get(step, f"h{step[0]}")),
                "type": step[1],
                "time": hour(step[0]).isoformat().replace("+00:00", "Z"),
                "attributes": [{"name": "weight", "value": f"{step[0]}.50"}],
                "relationships": [{"objectId": name, "qualifier": ""} for name in step[2].split()],
            }
            for step in steps
        ],
    }
