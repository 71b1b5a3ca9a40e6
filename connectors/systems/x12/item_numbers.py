"""The (qualifier, number) pairs of a line segment: item numbers and the order of the line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.sdk.x12_segments import Segment

# Element 235, product or service id qualifier, has two characters. Some senders write `UPC`.
QUALIFIER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{2}|[A-Za-z]{3}")
# Pairs that are no item number: purchase order, its line, lot and serial number.
NO_ITEM_NUMBERS = frozenset({"PO", "PL", "LT", "SN"})


@dataclass(frozen=True, slots=True)
class SkuAndUnqualifiedValues:
    """The item number of a segment, "" if none, and the values without a qualifier before them."""

    sku: str
    values_without_qualifier: tuple[str, ...]


def read_sku_by_preferred_qualifier(
    segment: Segment, start: int, end: int, preferred_qualifiers: Sequence[str]
) -> SkuAndUnqualifiedValues:
    """Read the pairs from element `start` up to before `end`, and choose the item number.

    A value in place of a qualifier is skipped, so that a qualifier never becomes an item number. If
    all pairs stand one element too early, the number follows a preferred qualifier at `start - 1`.
    """
    pairs, misplaced = _pairs_and_unqualified_values(segment, start, end)
    preferred = (pairs[q] for q in preferred_qualifiers if pairs.get(q))
    others = (value for q, value in pairs.items() if q not in NO_ITEM_NUMBERS)
    sku = next(preferred, next(others, ""))
    if not sku and misplaced and segment[start - 1] in preferred_qualifiers:
        sku = segment[start]
    return SkuAndUnqualifiedValues(sku, tuple(misplaced))


def number_with_qualifier(segment: Segment, start: int, qualifier: str) -> str:
    """Return the number with this qualifier among the pairs from element `start` on, else ""."""
    return _pairs_and_unqualified_values(segment, start, 99)[0].get(qualifier, "")


def _pairs_and_unqualified_values(
    segment: Segment, start: int, end: int
) -> tuple[dict[str, str], list[str]]:
    at, pairs, misplaced = start, dict[str, str](), list[str]()
    while at < min(end, len(segment.elements) + 1):
        if not segment[at]:
            at += 1
        elif QUALIFIER.fullmatch(segment[at]):
            pairs.setdefault(segment[at], segment[at + 1])
            at += 2
        else:
            misplaced.append(segment[at])
            at += 1
    return pairs, misplaced
