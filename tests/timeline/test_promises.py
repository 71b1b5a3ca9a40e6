"""The promise ledger, corrections, late events, and the picture of a moment in the past."""

from tests.timeline.saying import at, delivered, folded, of, ordered, say, shipped
from visibility.timeline import MilestoneCode, Status

ASKED = ordered({"A": 5}, at(2), source="edi", requested_at="2026-03-04")
FIRST = say("erp", "order.accepted", at(2, 13), promised_at="2026-03-05")


def ledger(*events: object) -> list[tuple[str, str, str, str | None]]:
    """(kind, source, date, old) of each word."""
    told = folded(*events)  # type: ignore[arg-type]  # events
    return [
        (p.kind, p.source, f"{p.date:%d}", f"{p.old:%d}" if p.old else None) for p in told.promises
    ]


def test_asked_for_promised_and_moved_by_whom() -> None:
    moved = say("erp", "order.changed", at(3), promised_at="2026-03-09", reason="stock")
    assert ledger(ASKED, FIRST, moved) == [
        ("requested", "edi", "04", None),
        ("first", "erp", "05", None),
        ("moved", "erp", "09", "05"),
    ]
    told = folded(ASKED, FIRST, moved)
    assert told.promises[2].said_at == at(3)
    assert told.promises[2].reason == "stock"
    first = told.promise("first")
    assert first
    assert first.date == at(5, 0)


def test_an_echo_or_a_repetition_moves_nothing() -> None:
    echo = say("shop", "order.changed", at(2, 14), promised_at="2026-03-05T17:00:00Z")
    moved = say("erp", "order.changed", at(3), promised_at="2026-03-09")
    stale = say("shop", "order.changed", at(3, 14), promised_at="2026-03-05T17:00:00Z")
    assert [kind for kind, *_ in ledger(FIRST, echo, moved, stale)] == ["first", "moved"]


def test_a_moved_request_keeps_the_one_before() -> None:
    later = say("edi", "order.changed", at(3), requested_at="2026-03-12")
    assert ledger(ASKED, later)[-1] == ("requested", "edi", "12", "04")


def test_a_correction_supersedes_and_deletes_nothing() -> None:
    wrong = shipped({"A": 5}, at(3), key="told wrongly")
    right = shipped({"A": 3}, at(3, 14), corrects=["told wrongly"])
    told = folded(ordered({"A": 5}), wrong, right)
    assert told.status is Status.PARTIALLY_SHIPPED
    assert [e.superseded for e in told.entries] == [False, True, False]
    dropped = say("wms", "order.changed", at(4), corrects=["told wrongly"])
    told = folded(ordered({"A": 5}), wrong, dropped)
    assert told.when(MilestoneCode.SHIPPED) is None


def test_a_late_word_reopens_a_closed_order_and_restates_it() -> None:
    said = [ordered({"A": 5}), shipped({"A": 5}, at(3)), delivered(at(4))]
    bill = say("finance", "invoice.issued", at(5), invoice="I1")
    assert not folded(*said, bill).is_open
    more = ordered({"A": 5, "B": 1}, at(2, 10), source="old_erp", received=at(20))
    added = say("erp", "order.changed", at(2, 11), [*more.event.lines], received=at(20))
    told = folded(*said, bill, added)
    assert told.is_open
    assert told.status is Status.PARTIALLY_DELIVERED
    assert folded(*said, bill, added, known_at=at(19)).status is Status.COMPLETED


def test_what_was_known_at_a_moment_is_what_had_been_received() -> None:
    late = shipped({"A": 5}, at(3), received=at(8))
    said = [ordered({"A": 5}), late]
    assert folded(*said, as_of=at(7), known_at=at(7)).status is Status.RECEIVED
    assert folded(*said, as_of=at(7)).status is Status.SHIPPED
    assert of(folded(*said, as_of=at(9), known_at=at(9)), "A").state.value == "shipped"
