"""The differences between two folds of one order. Plain values in, plain values out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# Longer texts are cut in a stored difference.
MAX_TEXT = 200
MILESTONE_TIMES = ("planned", "reached", "completed")
ORDER_FIELDS = ("status", "since", "states", "on_hold_since", "currencies")


class DifferenceKind(StrEnum):
    """What differs."""

    MILESTONE = "milestone"
    QUANTITY = "quantity"
    STATE = "state"
    NUMBER = "number"
    DETAIL = "detail"
    SHIPMENT = "shipment"
    ALERT = "alert"
    KPI = "kpi"
    IDENTITY = "identity"


class DifferenceChange(StrEnum):
    """How it differs. The last five are those of alerts: a breach is late if the step followed."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    OPENS = "opens"
    CLOSES = "closes"
    DUE_MOVED = "due_moved"
    LATE_ADDED = "late_added"
    LATE_REMOVED = "late_removed"


@dataclass(frozen=True, slots=True)
class OrderDifference:
    """One difference: of the `field` of an `item`, such as the time of a milestone."""

    kind: DifferenceKind
    item: str
    field: str
    change: DifferenceChange
    before: str
    after: str

    @property
    def tags(self) -> Sequence[str]:
        """By what its order is counted and selected."""
        return (
            self.kind.value,
            f"{self.kind.value}:{self.item}"[:120],
            f"{self.kind.value}:{self.item}:{self.change.value}"[:120],
        )

    def to_json(self) -> list[str]:
        """Its texts, as they are stored."""
        texts = (self.item, self.field, self.change.value, self.before, self.after)
        return [self.kind.value, *(text[:MAX_TEXT] for text in texts)]

    @classmethod
    def from_json(cls, texts: Sequence[str]) -> "OrderDifference":
        """Read what `to_json` wrote."""
        kind, item, field, change, before, after = texts
        return cls(DifferenceKind(kind), item, field, DifferenceChange(change), before, after)


def differences_of_orders(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[OrderDifference]:
    """Compare two orders of the canonical dump; an empty one does not exist."""
    yield from _milestone_differences(before, after)
    yield from _line_differences(before, after)
    yield from _fields(
        DifferenceKind.STATE, "order", _chosen(before, ORDER_FIELDS), _chosen(after, ORDER_FIELDS)
    )
    yield from _items(
        DifferenceKind.STATE, "conflict", before.get("conflicts"), after.get("conflicts")
    )
    for name, kind in (("numbers", DifferenceKind.NUMBER), ("attributes", DifferenceKind.DETAIL)):
        yield from _fields(kind, name, before.get(name, {}), after.get(name, {}))
    yield from _items(
        DifferenceKind.DETAIL, "promise", before.get("promises"), after.get("promises")
    )
    yield from _shipment_differences(before, after)
    yield from _alert_differences(before, after)


def _milestone_differences(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[OrderDifference]:
    old, new = before.get("milestones", {}), after.get("milestones", {})
    for code in dict.fromkeys((*old, *new)):
        yield from _fields(
            DifferenceKind.MILESTONE,
            code,
            _chosen(old.get(code, {}), MILESTONE_TIMES),
            _chosen(new.get(code, {}), MILESTONE_TIMES),
            changed=DifferenceChange.MOVED,
        )
        yield from _fields(
            DifferenceKind.QUANTITY,
            code,
            _chosen(old.get(code, {}), ("share",)),
            _chosen(new.get(code, {}), ("share",)),
        )


def _line_differences(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[OrderDifference]:
    old, new = _by_key(before.get("lines")), _by_key(after.get("lines"))
    for key in dict.fromkeys((*old, *new)):
        yield from _fields(
            DifferenceKind.QUANTITY,
            key,
            _flat(old.get(key, {}), without=("key", "by_source")),
            _flat(new.get(key, {}), without=("key", "by_source")),
        )


def _shipment_differences(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[OrderDifference]:
    old, new = _by_key(before.get("shipments")), _by_key(after.get("shipments"))
    for key in dict.fromkeys((*old, *new)):
        yield from _fields(
            DifferenceKind.SHIPMENT,
            key,
            _flat(old.get(key, {}), without=("key",)),
            _flat(new.get(key, {}), without=("key",)),
        )


def _alert_differences(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[OrderDifference]:
    old, new = _clocks_by_key(before), _clocks_by_key(after)
    for key in dict.fromkeys((*old, *new)):
        was, will = old.get(key, {}), new.get(key, {})
        change = _change_of_alert(was, will)
        if change is not None:
            due = was.get("due") or "", will.get("due") or ""
            yield OrderDifference(DifferenceKind.ALERT, key[0], key[1], change, *due)


def _change_of_alert(was: Mapping[str, Any], will: Mapping[str, Any]) -> DifferenceChange | None:
    if _is_open(was) != _is_open(will):
        return DifferenceChange.OPENS if _is_open(will) else DifferenceChange.CLOSES
    if _is_late(was) != _is_late(will):
        return DifferenceChange.LATE_ADDED if _is_late(will) else DifferenceChange.LATE_REMOVED
    if was and will and was.get("due") != will.get("due"):
        return DifferenceChange.DUE_MOVED
    return None


def _is_open(clock: Mapping[str, Any]) -> bool:
    return clock.get("verdict") == "breached" and not clock.get("stopped")


def _is_late(clock: Mapping[str, Any]) -> bool:
    return clock.get("verdict") == "breached" and bool(clock.get("stopped"))


def _clocks_by_key(order: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    clocks = order.get("clocks", ())
    return {(clock["rule"], clock.get("subject_key", "")): clock for clock in clocks}


def _fields(
    kind: DifferenceKind,
    item: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    changed: DifferenceChange = DifferenceChange.CHANGED,
) -> Iterator[OrderDifference]:
    for name in dict.fromkeys((*before, *after)):
        old, new = _text(before.get(name)), _text(after.get(name))
        if old != new:
            change = (
                DifferenceChange.ADDED
                if not old
                else DifferenceChange.REMOVED
                if not new
                else changed
            )
            yield OrderDifference(kind, item, name, change, old, new)


def _items(
    kind: DifferenceKind,
    item: str,
    before: Iterable[Mapping[str, Any]] | None,
    after: Iterable[Mapping[str, Any]] | None,
) -> Iterator[OrderDifference]:
    """Compare lists without keys: what only one of them has was removed or added."""
    old, new = ([_sentence(value) for value in values or ()] for values in (before, after))
    for text in old:
        if text not in new:
            yield OrderDifference(kind, item, "", DifferenceChange.REMOVED, text, "")
    for text in new:
        if text not in old:
            yield OrderDifference(kind, item, "", DifferenceChange.ADDED, "", text)


def _sentence(value: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {text}" for name, text in _flat(value).items() if text)


def _chosen(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _by_key(values: Iterable[Mapping[str, Any]] | None) -> dict[str, Mapping[str, Any]]:
    return {value["key"]: value for value in values or ()}


def _flat(value: Mapping[str, Any], *, without: Sequence[str] = ()) -> dict[str, str]:
    """The texts of nested values: {"quantities.shipped": "2"}."""
    texts: dict[str, str] = {}
    for name, item in value.items():
        if name in without:
            continue
        if isinstance(item, Mapping):
            texts |= {f"{name}.{inner}": text for inner, text in _flat(item).items()}
        else:
            texts[name] = _text(item)
    return texts


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(_sentence(v) if isinstance(v, Mapping) else _text(v) for v in value)
    return "yes" if value is True else str(value)
