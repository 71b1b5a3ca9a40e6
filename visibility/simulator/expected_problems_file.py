"""Write the answer key: which problems a perfect monitor finds, and when.

The file has one JSON object per line.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from visibility.simulator import document_numbers
from visibility.simulator.faults import SILENT_AFTER
from visibility.simulator.simulated_order import (
    InjectedFaultWithSlaDueTime,
    SimulatedOrder,
    to_datetime,
)

RULE_BY_FAULT = {"stuck_order": "stuck_in_released", "no_scan": "no_tracking_scan"}
CONFLICT_FAULTS = frozenset({"erp_blind", "price_drift"})
PARKED_REASONS = {"bad_payload": "syntax"}


def format_timestamp(at: float | None) -> str | None:
    """RFC 3339 with milliseconds."""
    if at is None:
        return None
    return to_datetime(round(at, 3)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def order_fault_entries(order: SimulatedOrder) -> list[dict[str, Any]]:
    """The answer key entries for the faults of one order."""
    order_numbers = [document_numbers.sales_order_number(order.n)]
    order_numbers.append(order.po or document_numbers.web_order_number(order.n))
    return [_fault_entry(fault, order_numbers) for fault in order.faults]


def _fault_entry(fault: InjectedFaultWithSlaDueTime, order_numbers: list[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "fault": fault.name,
        "order": order_numbers[0],
        "numbers": [*order_numbers, *(fault.detail.split() if fault.name == "no_scan" else ())],
        "injected_at": format_timestamp(fault.at),
    }
    if fault.name in RULE_BY_FAULT:
        entry["expect"] = {
            "rule": RULE_BY_FAULT[fault.name],
            "due_at": format_timestamp(fault.due_at),
            "ends_at": format_timestamp(fault.ends_at),
        }
        return entry
    entry["expect"] = {"alert": None}
    if fault.name in CONFLICT_FAULTS:
        entry["expect"]["conflict"] = fault.detail
        return entry
    if fault.name in PARKED_REASONS:
        entry["expect"]["parked"] = PARKED_REASONS[fault.name]
    if fault.name == "unknown_status":
        entry["expect"]["event"] = "unmapped"
    if fault.detail:
        entry["message"] = fault.detail
    return entry


def silence_entry(window: tuple[float, float], *, live: bool) -> dict[str, Any]:
    """The entry for a silent feed. One that ended before the first start opens no alert."""
    start, end = window
    due, ends = format_timestamp(start + SILENT_AFTER), format_timestamp(end)
    return {
        "fault": "silent_feed",
        "order": None,
        "source": "3pl",
        "numbers": [],
        "injected_at": format_timestamp(start),
        "expect": {"rule": "source_silent", "due_at": due, "ends_at": ends}
        if live
        else {"alert": None},
    }


class AnswerKeyFile:
    """The answer key file. Entries that it already contains are not written twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._line_hashes = (
            set(map(hash, path.read_bytes().splitlines())) if path.is_file() else set()
        )

    def append_new_entries(self, new_entries: Iterable[dict[str, Any]]) -> None:
        """Append the entries that the file does not contain yet."""
        lines = [orjson.dumps(entry) for entry in new_entries]
        new_lines = [line for line in lines if hash(line) not in self._line_hashes]
        if new_lines:
            with self._path.open("ab") as file:
                file.write(b"".join(line + b"\n" for line in new_lines))
            self._line_hashes.update(map(hash, new_lines))
