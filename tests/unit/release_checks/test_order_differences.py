"""What differs between two folds of one order, as plain values."""

from typing import Any

from visibility.release_checks.order_differences import (
    DifferenceChange,
    DifferenceKind,
    OrderDifference,
    differences_of_orders,
)

CLOCK = {"rule": "stuck", "subject_key": "", "due": "2026-03-02T12:00:00Z", "stopped": None}
ORDER: dict[str, Any] = {
    "status": "shipped",
    "numbers": {"sales_order@erp": "SO-1"},
    "milestones": {"shipped": {"planned": None, "reached": "2026-03-02T08:00:00Z", "share": "1"}},
    "lines": [{"key": "1", "state": "open", "quantities": {"shipped": "5"}, "by_source": {"x": 1}}],
    "clocks": [{**CLOCK, "verdict": "running"}],
}


def changes(after: dict[str, Any], before: dict[str, Any] = ORDER) -> list[tuple[str, ...]]:
    return [
        (each.kind.value, each.item, each.field, each.change.value, each.before, each.after)
        for each in differences_of_orders(before, after)
    ]


def test_equal_orders_have_no_differences() -> None:
    assert changes(ORDER) == []
    assert changes({**ORDER, "events": [1], "key": "other"}) == []


def test_milestones_are_added_removed_and_moved() -> None:
    moved = {"shipped": {"reached": "2026-03-03T08:00:00Z", "share": "1"}}
    first, second = "2026-03-02T08:00:00Z", "2026-03-03T08:00:00Z"
    assert changes({**ORDER, "milestones": moved}) == [
        ("milestone", "shipped", "reached", "moved", first, second)
    ]
    assert changes({**ORDER, "milestones": {}})[0] == (
        ("milestone", "shipped", "reached", "removed", first, "")
    )
    added = {**ORDER["milestones"], "delivered": {"completed": second}}
    assert changes({**ORDER, "milestones": added}) == [
        ("milestone", "delivered", "completed", "added", "", second)
    ]


def test_quantities_states_and_numbers_differ_by_field() -> None:
    lines = [{"key": "1", "state": "closed", "quantities": {"shipped": "4"}}]
    after = {**ORDER, "status": "open", "numbers": {"web_order": "W-1"}, "lines": lines}
    assert changes(after) == [
        ("quantity", "1", "state", "changed", "open", "closed"),
        ("quantity", "1", "quantities.shipped", "changed", "5", "4"),
        ("state", "order", "status", "changed", "shipped", "open"),
        ("number", "numbers", "sales_order@erp", "removed", "SO-1", ""),
        ("number", "numbers", "web_order", "added", "", "W-1"),
    ]


def test_alerts_open_close_and_change_their_due_time() -> None:
    def alert(**clock: Any) -> list[tuple[str, ...]]:
        return [each[1:4] for each in changes({**ORDER, "clocks": [{**CLOCK, **clock}]})]

    assert alert(verdict="breached") == [("stuck", "", "opens")]
    assert alert(verdict="breached", stopped="2026-03-02T13:00:00Z") == [
        ("stuck", "", "late_added")
    ]
    assert alert(verdict="running", due="2026-03-02T14:00:00Z") == [("stuck", "", "due_moved")]
    assert alert(verdict="met", stopped="2026-03-02T11:00:00Z") == []
    opened = {**ORDER, "clocks": [{**CLOCK, "verdict": "breached"}]}
    assert changes({**ORDER, "clocks": []}, opened)[0][1:4] == ("stuck", "", "closes")


def test_a_stored_difference_is_read_again_and_has_tags() -> None:
    difference = OrderDifference(
        DifferenceKind.MILESTONE, "shipped", "reached", DifferenceChange.MOVED, "a" * 500, "b"
    )
    stored = OrderDifference.from_json(difference.to_json())
    assert stored.before == "a" * 200
    assert stored.tags == ("milestone", "milestone:shipped", "milestone:shipped:moved")
