"""Batches that were sent twice, came out of order or are missing, by their numbers (pure)."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from connectors.sdk.batch_contents import LARGEST_INTERCHANGE_NUMBER
from visibility.sla.batch_finding import (
    MAX_NAME,
    BatchFinding,
    BatchFindingKind,
    RepeatedFile,
    build_finding,
)
from visibility.sla.batch_schedule import ArrivedBatch

MAX_NAMED_GAPS = 5


def find_doubled(
    batches: Sequence[ArrivedBatch], repeats: Iterable[RepeatedFile]
) -> list[BatchFinding]:
    """Return the batches with the number, and the files with the content, of an earlier one."""
    findings, first = [], dict[tuple[str, str], ArrivedBatch]()
    by_message = {batch.message_id: batch for batch in batches}
    for batch in sorted(batches, key=lambda each: each.order):
        if not batch.number:
            continue
        earlier = first.setdefault((batch.series, _plain(batch.number)), batch)
        if earlier is not batch:
            other = f" ({earlier.file_name[:MAX_NAME]})" if earlier.file_name else ""
            text = f"has the batch number {batch.number} of an earlier one{other}"
            findings.append(build_finding(BatchFindingKind.DOUBLED, batch, text))
    for repeat in repeats:
        original = by_message.get(repeat.message_id)
        earlier_name = original.name if original else f"message {repeat.message_id}"
        name = repeat.file_name or earlier_name
        is_same_name = name == earlier_name
        text = (
            "came twice with the same content"
            if is_same_name
            else (f"has the same content as {earlier_name[:MAX_NAME]}")
        )
        findings.append(
            BatchFinding(
                BatchFindingKind.DOUBLED,
                f"repeat {repeat.id}",
                repeat.received_at,
                name,
                f"{text}: it was not read a second time",
                repeat.message_id,
            )
        )
    return findings


def find_out_of_order(
    batches: Sequence[ArrivedBatch], *, is_consecutive: bool
) -> list[BatchFinding]:
    """Return batches with a lower number than one before, and the numbers that are missing."""
    findings: list[BatchFinding] = []
    by_series: dict[str, list[ArrivedBatch]] = {}
    for batch in sorted(batches, key=lambda each: each.order):
        if batch.number.isascii() and batch.number.isdecimal():
            by_series.setdefault(batch.series, []).append(batch)
    for series, numbered in by_series.items():
        highest: int | None = None
        highest_batch: ArrivedBatch | None = None
        values = _unwrapped_numbers(numbered, wraps=bool(series))
        received = set(values)
        for index, (batch, value) in enumerate(zip(numbered, values, strict=True)):
            if highest is None or highest_batch is None:
                highest, highest_batch = value, batch
                continue
            if value < highest and value not in values[:index]:
                text = f"came after batch {highest_batch.number}"
                findings.append(
                    build_finding(
                        BatchFindingKind.OUT_OF_ORDER, batch, text, f"Batch {batch.number}"
                    )
                )
            elif value > highest:
                if is_consecutive and (missing := _ranges(highest, value, received)):
                    findings.append(_gap(missing, batch, highest_batch))
                highest, highest_batch = value, batch
    return findings


def _gap(
    missing: Sequence[tuple[int, int]], batch: ArrivedBatch, before: ArrivedBatch
) -> BatchFinding:
    named = [
        f"{_wrapped(first)} to {_wrapped(last)}" if last > first else str(_wrapped(first))
        for first, last in missing[:MAX_NAMED_GAPS]
    ]
    more = ", and others" if len(missing) > MAX_NAMED_GAPS else ""
    is_single = len(missing) == 1 and missing[0][0] == missing[0][1]
    return BatchFinding(
        BatchFindingKind.OUT_OF_ORDER,
        f"before {batch.message_id}",
        batch.received_at,
        f"Batch {named[0]}" if is_single else f"Batches {', '.join(named)}{more}",
        f"{'is' if is_single else 'are'} missing: {batch.number} came after {before.number}",
        batch.message_id,
    )


def _ranges(below: int, above: int, received: Iterable[int]) -> list[tuple[int, int]]:
    """The numbers between two that were not received, as ranges."""
    between = sorted(number for number in received if below < number < above)
    edges = [below, *between, above]
    return [(left + 1, right - 1) for left, right in pairwise(edges) if right - left > 1]


def _unwrapped_numbers(batches: Sequence[ArrivedBatch], *, wraps: bool) -> list[int]:
    """The numbers; those of interchanges go on after the largest, where they begin from 1."""
    values, latest = [], 0
    for batch in batches:
        value = int(batch.number)
        if wraps and latest - value > LARGEST_INTERCHANGE_NUMBER // 2:
            value += LARGEST_INTERCHANGE_NUMBER
        values.append(value)
        latest = max(latest, value)
    return values


def _wrapped(value: int) -> int:
    return value - LARGEST_INTERCHANGE_NUMBER if value > LARGEST_INTERCHANGE_NUMBER else value


def _plain(number: str) -> str:
    return number.lstrip("0") or "0" if number.isdecimal() else number
