"""What goes wrong between the systems: doubled, late, reordered, torn messages; silent feeds."""

from bisect import bisect_right
from dataclasses import dataclass, fields
from random import Random

from visibility.simulator.model import ERP, Fault, Kind, Step

MINUTE, HOUR = 60.0, 3600.0
LIVE_SILENCE, LIVE_EVERY = 6 * MINUTE, 40 * MINUTE
SILENT_AFTER = 4 * MINUTE
FIRST_SILENCE = 15 * MINUTE
# What may come hours late without hiding a promise kept: no release, ship confirmation or scan.
PATIENT = frozenset(
    {
        Kind.SHOP_FULFILLED,
        Kind.EDI_NOTICE,
        Kind.EDI_INVOICE,
        Kind.WMS_ALLOCATED,
        Kind.WMS_PICKED,
        Kind.WMS_PACKED,
        Kind.INVOICED,
        Kind.PAID,
        Kind.CREDITED,
    }
)
JSON = frozenset({"shop", "wms", "carrier", "finance"})


@dataclass(frozen=True)
class Rates:
    """How often each fault happens: of the orders, or of the messages; 0 turns it off."""

    stuck_order: float = 0.02
    no_scan: float = 0.015
    duplicate: float = 0.01
    late: float = 0.007
    reordered: float = 0.007
    silent_feed: float = 1.0
    unknown_status: float = 0.003
    bad_payload: float = 0.0005
    staged: float = 1.0
    erp_blind: float = 0.1  # of the orders that ship in two parts
    price_drift: float = 0.004  # of the orders of the shop and of EDI

    @classmethod
    def read(cls, text: str) -> "Rates":
        """`duplicate=0.02,late=0` over the defaults. Raises ValueError with a sentence."""
        known = {field.name for field in fields(cls)}
        given: dict[str, float] = {}
        for pair in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = pair.partition("=")
            if name not in known:
                raise ValueError(f"{name!r} is no fault; known are {', '.join(sorted(known))}")
            try:
                given[name] = float(value)
            except ValueError:
                raise ValueError(f"{pair!r} is not of the form name=rate") from None
            if not 0 <= given[name] <= 1:
                raise ValueError(f"the rate of {name} is not between 0 and 1")
        return cls(**given)


class Silences:
    """When the 3PL says nothing: two days of the past, and six minutes of every forty from now."""

    def __init__(self, random: Random, *, anchor: float, started: float, days: int) -> None:
        self.past: list[tuple[float, float]] = []
        weekdays = [d for d in range(2, days) if (anchor // 86400 - d + 3) % 7 < 5]
        for day in sorted(random.sample(weekdays, min(2, len(weekdays))), reverse=True):
            start = anchor - day * 86400 + random.uniform(12, 15) * HOUR
            self.past.append((start, start + random.uniform(3, 6) * HOUR))
        self._starts = [start for start, _ in self.past]
        self._first = started + FIRST_SILENCE

    def window(self, at: float) -> tuple[float, float] | None:
        """The silence that holds this moment, if one does."""
        if at >= self._first:
            start = at - (at - self._first) % LIVE_EVERY
            return (start, start + LIVE_SILENCE) if at < start + LIVE_SILENCE else None
        place = bisect_right(self._starts, at) - 1
        if place >= 0 and at < self.past[place][1]:
            return self.past[place]
        return None

    def live(self, index: int) -> tuple[float, float]:
        """The live silence number `index`."""
        start = self._first + index * LIVE_EVERY
        return start, start + LIVE_SILENCE


def disturb(
    random: Random, rates: Rates, steps: list[Step], silences: Silences | None
) -> tuple[list[Step], list[Fault]]:
    """The steps as they arrive, and what was done to them."""
    told: list[Step] = []
    faults: list[Fault] = []
    for place, step in enumerate(steps):
        if step.kind in ERP:
            told.append(step)
            continue
        moved, name = _moved(random, rates, steps, place)
        window = silences.window(moved.send_at) if silences and _north(step) else None
        if window:
            moved = moved._replace(send_at=window[1] + random.uniform(1, 45))
        if name:
            faults.append(_harmless(name, moved))
        told.append(moved)
        if random.random() < rates.duplicate:
            again = moved._replace(send_at=moved.send_at + random.uniform(1, 90), copy=True)
            told.append(again)
            faults.append(_harmless("duplicate", again))
        if step.kind.source in JSON and random.random() < rates.bad_payload:
            torn = moved._replace(send_at=moved.send_at + random.uniform(1, 9), torn=True)
            told.append(torn)
            faults.append(_harmless("bad_payload", torn))
    return sorted(told), faults


def _north(step: Step) -> bool:
    return step.kind.source == "3pl"


def _moved(random: Random, rates: Rates, steps: list[Step], place: int) -> tuple[Step, str]:
    step = steps[place]
    fate = random.random()
    if fate < rates.late:
        if step.kind in PATIENT:
            return step._replace(send_at=step.send_at + random.uniform(2, 8) * HOUR), "late"
        return step, ""
    if fate < rates.late + rates.reordered:
        following = (s for s in steps[place + 1 :] if s.kind not in ERP)
        after = next((s.send_at for s in following), None)
        if after is not None and after - step.send_at < 20 * MINUTE:
            return step._replace(send_at=after + random.uniform(1, 15)), "reordered"
    return step, ""


def _harmless(name: str, step: Step) -> Fault:
    return Fault(name, step.send_at, about=f"{step.kind} {step.shipment}.{step.item}")
