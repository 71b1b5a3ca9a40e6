"""The answer key: what a perfect monitor must find, and when; one JSON object a line."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from visibility.simulator import document_numbers
from visibility.simulator.faults import SILENT_AFTER
from visibility.simulator.model import Fault, Order, when

RULES = {"stuck_order": "stuck_in_released", "no_scan": "no_tracking_scan"}
CONFLICTS = frozenset({"erp_blind", "price_drift"})
PARKED = {"bad_payload": "syntax"}


def exact(at: float | None) -> str | None:
    """RFC 3339 with milliseconds."""
    if at is None:
        return None
    return when(round(at, 3)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entries(order: Order) -> list[dict[str, Any]]:
    """The faults of one order."""
    known = [document_numbers.sales_order(order.n)]
    known.append(order.po or document_numbers.web_order(order.n))
    return [_entry(fault, known) for fault in order.faults]


def _entry(fault: Fault, known: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "fault": fault.name,
        "order": known[0],
        "numbers": [*known, *(fault.about.split() if fault.name == "no_scan" else ())],
        "injected_at": exact(fault.at),
    }
    if fault.name in RULES:
        found["expect"] = {
            "rule": RULES[fault.name],
            "due_at": exact(fault.due_at),
            "ends_at": exact(fault.ends_at),
        }
        return found
    found["expect"] = {"alert": None}
    if fault.name in CONFLICTS:
        found["expect"]["conflict"] = fault.about
        return found
    if fault.name in PARKED:
        found["expect"]["parked"] = PARKED[fault.name]
    if fault.name == "unknown_status":
        found["expect"]["event"] = "unmapped"
    if fault.about:
        found["message"] = fault.about
    return found


def silence(window: tuple[float, float], *, live: bool) -> dict[str, Any]:
    """A silent feed; one of the past was over before anybody listened."""
    start, end = window
    due, ends = exact(start + SILENT_AFTER), exact(end)
    return {
        "fault": "silent_feed",
        "order": None,
        "source": "3pl",
        "numbers": [],
        "injected_at": exact(start),
        "expect": {"rule": "source_silent", "due_at": due, "ends_at": ends}
        if live
        else {"alert": None},
    }


class Key:
    """The file; what stands in it already is not written again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._known = set(map(hash, path.read_bytes().splitlines())) if path.is_file() else set()

    def write(self, found: Iterable[dict[str, Any]]) -> None:
        """Append what is new."""
        lines = [orjson.dumps(entry) for entry in found]
        fresh = [line for line in lines if hash(line) not in self._known]
        if fresh:
            with self._path.open("ab") as file:
                file.write(b"".join(line + b"\n" for line in fresh))
            self._known.update(map(hash, fresh))
