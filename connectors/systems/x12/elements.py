"""Dates, numbers, marks and texts as X12 writes them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from connectors.sdk.events import Identifier, Line, Measure, Scheme
from connectors.sdk.payload import PayloadError, Reason
from connectors.sdk.x12 import Segment

# MAN01 of a serial shipping container code, and of the carrier's or the shipper's parcel number.
SSCC_MARKS = frozenset({"GM", "AA"})
PARCEL_MARKS = frozenset({"CP", "CA", "SM"})
TRACKING = re.compile(r"(?=(?:\D*\d){6})[A-Za-z0-9][A-Za-z0-9 -]{7,39}")


def day(text: str, path: str) -> str:
    """`20260304`, or `260304` of the older versions, as `2026-03-04`; a year from 80 on is 19xx."""
    digits = ("19" if text[:2] >= "80" else "20") + text if len(text) == 6 else text
    if len(digits) == 8 and digits.isascii() and digits.isdigit():
        written = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
        try:
            date.fromisoformat(written)
        except ValueError:
            pass
        else:
            return written
    raise PayloadError(Reason.TIMESTAMP, path, f"{text[:40]!r} is not a date")


def readable(text: str) -> str:
    """The day as `day` writes it, empty where the text is none."""
    try:
        return day(text, "")
    except PayloadError:
        return ""


def clock(text: str) -> str:
    """`1406`, `140605` or `14060512` as `14:06:05`; empty for anything else."""
    if len(text) not in {4, 6, 7, 8} or not (text.isascii() and text.isdigit()):
        return ""
    hour, minute, second = text[:2], text[2:4], text[4:6] or "00"
    if (hour, minute, second) != ("24", "00", "00") and (hour > "23" or minute > "59"):
        return ""
    return f"{hour}:{minute}:{second}" if second <= "60" else ""


def line_number(text: str) -> str:
    """A line number without its padding: the one document says `00001`, the next one `1`."""
    return (text.lstrip("0") or text) if text.isdigit() else text


def mark(qualifier: str, value: str) -> Identifier | None:
    """The number of a package, if it is one."""
    if qualifier in SSCC_MARKS and value.isdigit() and len(value) in {18, 20}:
        # Twenty digits are the application identifier (00) and the number.
        return Identifier(Scheme.SSCC, value[-18:])
    # A carton counter (CA 0001) is no tracking number: it would tie strangers' parcels together.
    if qualifier in PARCEL_MARKS and TRACKING.fullmatch(value):
        return Identifier(Scheme.TRACKING, value)
    return None


def text_of(segments: Iterable[Segment]) -> str:
    """The description of an item: PID05, or G6901 of the warehouse sets."""
    for segment in segments:
        if segment.tag == "PID" and segment[5]:
            return segment[5]
        if segment.tag == "G69" and segment[1]:
            return segment[1]
    return ""


def summed(lines: Sequence[Line]) -> tuple[Line, ...]:
    """One line for each item of an order: an item in five cartons is told five times."""
    found: dict[tuple[int, str, str, str], Line] = {}
    for line in lines:
        key = (line.order, line.line_id, line.sku, line.unit)
        was = found.setdefault(key, line)
        if was is not line:
            both: dict[Measure, Decimal] = {**was.quantities}
            for measure, quantity in line.quantities.items():
                both[measure] = both.get(measure, Decimal(0)) + quantity
            found[key] = replace(was, quantities=both)
    return tuple(found.values())
