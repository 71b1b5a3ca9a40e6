"""The base of the KPI shelf: what a number is, and how one order counts in it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from visibility.timeline import Timeline


class Unit(StrEnum):
    """How a number is read: a share of a whole, or a length of time in seconds per order."""

    PERCENT = "percent"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Measured:
    """How one order counts: on which day, and its two figures, or why it does not count.

    `aside`: how many of its lines could not be counted, by the reason.
    """

    day: date
    numerator: Decimal | None
    denominator: Decimal | None
    excluded: str = ""
    aside: Mapping[str, int] = field(default_factory=dict)


class Kpi(ABC):
    """One number over a window.

    The shelf's rule: a pure function of one order's timeline. The window's number is the sum of
    the numerators over the sum of the denominators (a duration is told by median and P90 of the
    orders); no denominator is no value. A changed definition is a new `version`.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[Unit]
    version: ClassVar[int]
    # Grain, population, the day it is attributed to, exclusions: in words a buyer understands.
    definition: ClassVar[str]
    # What is counted, for "941 of 1 000 lines" and "312 orders".
    counted: ClassVar[str]
    # A share of 0..1, or seconds.
    target: ClassVar[Decimal | None] = None
    higher_is_better: ClassVar[bool]
    # Each reason `measure` may give for not counting an order, as a phrase.
    reasons: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def measure(self, timeline: Timeline, zone: str) -> Measured | None:
        """How the order counts, days being those of `zone`; None while it is too early to say."""
