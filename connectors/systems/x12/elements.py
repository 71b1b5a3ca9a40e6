"""Conversion of X12 elements: dates, times, line numbers, package numbers and texts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from connectors.sdk.events import EventIdentifier, EventLine, IdentifierScheme, Measure
from connectors.sdk.payload import ParkReason, PayloadError
from connectors.sdk.x12_segments import Segment

# MAN01 of an SSCC, and of a carrier's or shipper's package number.
SSCC_QUALIFIERS = frozenset({"GM", "AA"})
TRACKING_QUALIFIERS = frozenset({"CP", "CA", "SM"})
TRACKING_PATTERN = re.compile(r"(?=(?:\D*\d){6})[A-Za-z0-9][A-Za-z0-9 -]{7,39}")


def to_iso_date(text: str, path: str) -> str:
    """Convert `20260304` or `260304` to `2026-03-04`. Two-digit years from 80 on are 19xx."""
    digits = ("19" if text[:2] >= "80" else "20") + text if len(text) == 6 else text
    if len(digits) == 8 and digits.isascii() and digits.isdigit():
        formatted = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
        try:
            date.fromisoformat(formatted)
        except ValueError:
            pass
        else:
            return formatted
    raise PayloadError(ParkReason.TIMESTAMP, path, f"{text[:40]!r} is not a valid date")


def to_iso_date_or_blank(text: str) -> str:
    """Convert a date like `to_iso_date`, but return "" if it is invalid."""
    try:
        return to_iso_date(text, "")
    except PayloadError:
        return ""


def to_iso_time_or_blank(text: str) -> str:
    """Convert `1406`, `140605` or `14060512` to `14:06:05`; "" for anything else."""
    if len(text) not in {4, 6, 7, 8} or not (text.isascii() and text.isdigit()):
        return ""
    hour, minute, second = text[:2], text[2:4], text[4:6] or "00"
    if (hour, minute, second) != ("24", "00", "00") and (hour > "23" or minute > "59"):
        return ""
    return f"{hour}:{minute}:{second}" if second <= "60" else ""


def strip_line_number_zeros(text: str) -> str:
    """Strip leading zeros: one document has line `00001`, the next one `1`."""
    return (text.lstrip("0") or text) if text.isdigit() else text


def sscc_or_tracking_identifier(qualifier: str, value: str) -> EventIdentifier | None:
    """Return the SSCC or tracking number of a MAN element, or None."""
    if qualifier in SSCC_QUALIFIERS and value.isdigit() and len(value) in {18, 20}:
        # 20 digits are the application identifier (00) plus the SSCC.
        return EventIdentifier(IdentifierScheme.SSCC, value[-18:])
    # A carton counter (CA 0001) is not a tracking number; it would merge unrelated packages.
    if qualifier in TRACKING_QUALIFIERS and TRACKING_PATTERN.fullmatch(value):
        return EventIdentifier(IdentifierScheme.TRACKING, value)
    return None


def item_description(segments: Iterable[Segment]) -> str:
    """Return the item description: PID05, or G6901 in warehouse sets."""
    for segment in segments:
        if segment.tag == "PID" and segment[5]:
            return segment[5]
        if segment.tag == "G69" and segment[1]:
            return segment[1]
    return ""


def merge_lines(lines: Sequence[EventLine]) -> tuple[EventLine, ...]:
    """Sum lines of the same item: an item in five cartons has five lines."""
    merged: dict[tuple[int, str, str, str], EventLine] = {}
    for line in lines:
        key = (line.order_index, line.line_id, line.sku, line.unit)
        first = merged.setdefault(key, line)
        if first is not line:
            totals: dict[Measure, Decimal] = {**first.quantities}
            for measure, quantity in line.quantities.items():
                totals[measure] = totals.get(measure, Decimal(0)) + quantity
            merged[key] = replace(first, quantities=totals)
    return tuple(merged.values())
