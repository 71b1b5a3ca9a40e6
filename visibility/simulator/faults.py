"""Inject faults into messages: duplicate, late, reordered, truncated; and silent feeds."""

from bisect import bisect_right
from dataclasses import dataclass, fields
from random import Random

from visibility.simulator.simulated_order import (
    ERP_KINDS,
    InjectedFaultWithSlaDueTime,
    SimulatedStep,
    StepKind,
)

MINUTE, HOUR = 60.0, 3600.0
LIVE_SILENCE, LIVE_SILENCE_INTERVAL = 6 * MINUTE, 40 * MINUTE
SILENT_AFTER = 4 * MINUTE
FIRST_SILENCE = 15 * MINUTE
# Steps that may be hours late without affecting an SLA: no release, ship confirmation or scan.
DELAYABLE_KINDS = frozenset(
    {
        StepKind.SHOP_FULFILLED,
        StepKind.EDI_NOTICE,
        StepKind.EDI_INVOICE,
        StepKind.WMS_ALLOCATED,
        StepKind.WMS_PICKED,
        StepKind.WMS_PACKED,
        StepKind.INVOICED,
        StepKind.PAID,
        StepKind.CREDITED,
    }
)
JSON_SOURCES = frozenset({"shop", "wms", "carrier", "finance"})


@dataclass(frozen=True)
class FaultRates:
    """How often each fault happens, as a fraction of orders or of messages; 0 disables it."""

    stuck_order: float = 0.02
    no_scan: float = 0.015
    duplicate: float = 0.01
    late: float = 0.007
    reordered: float = 0.007
    silent_feed: float = 1.0
    unknown_status: float = 0.003
    bad_payload: float = 0.0005
    staged: float = 1.0
    erp_blind: float = 0.1  # of the orders that ship in two shipments
    price_drift: float = 0.004  # of the web and EDI orders

    @classmethod
    def parse(cls, text: str) -> "FaultRates":
        """Parse `duplicate=0.02,late=0` over the defaults. Raises ValueError."""
        known = {field.name for field in fields(cls)}
        given: dict[str, float] = {}
        for pair in filter(None, (item.strip() for item in text.split(","))):
            name, _, value = pair.partition("=")
            if name not in known:
                raise ValueError(
                    f"unknown fault {name!r}; known faults: {', '.join(sorted(known))}"
                )
            try:
                given[name] = float(value)
            except ValueError:
                raise ValueError(f"{pair!r} does not have the form name=rate") from None
            if not 0 <= given[name] <= 1:
                raise ValueError(f"the rate of {name} must be between 0 and 1")
        return cls(**given)


class SilentPeriods:
    """When the 3PL sends nothing: on two days of the past, and 6 of every 40 minutes live."""

    def __init__(self, random: Random, *, anchor: float, started: float, days: int) -> None:
        self.past: list[tuple[float, float]] = []
        weekdays = [d for d in range(2, days) if (anchor // 86400 - d + 3) % 7 < 5]
        for day in sorted(random.sample(weekdays, min(2, len(weekdays))), reverse=True):
            start = anchor - day * 86400 + random.uniform(12, 15) * HOUR
            self.past.append((start, start + random.uniform(3, 6) * HOUR))
        self._starts = [start for start, _ in self.past]
        self._first = started + FIRST_SILENCE

    def period_at(self, at: float) -> tuple[float, float] | None:
        """The silent period that contains this moment, or None."""
        if at >= self._first:
            start = at - (at - self._first) % LIVE_SILENCE_INTERVAL
            return (start, start + LIVE_SILENCE) if at < start + LIVE_SILENCE else None
        index = bisect_right(self._starts, at) - 1
        if index >= 0 and at < self.past[index][1]:
            return self.past[index]
        return None

    def live_period_by_index(self, index: int) -> tuple[float, float]:
        """The live silent period with this index."""
        start = self._first + index * LIVE_SILENCE_INTERVAL
        return start, start + LIVE_SILENCE


def inject_faults(
    random: Random,
    rates: FaultRates,
    steps: list[SimulatedStep],
    silent_periods: SilentPeriods | None,
) -> tuple[list[SimulatedStep], list[InjectedFaultWithSlaDueTime]]:
    """Return the steps as they arrive, and the faults injected into them."""
    arriving: list[SimulatedStep] = []
    faults: list[InjectedFaultWithSlaDueTime] = []
    for index, step in enumerate(steps):
        if step.kind in ERP_KINDS:
            arriving.append(step)
            continue
        moved, name = _randomly_delay_or_reorder(random, rates, steps, index)
        window = (
            silent_periods.period_at(moved.send_at)
            if silent_periods and _is_from_3pl(step)
            else None
        )
        if window:
            moved = moved._replace(send_at=window[1] + random.uniform(1, 45))
        if name:
            faults.append(_build_injected_fault(name, moved))
        arriving.append(moved)
        if random.random() < rates.duplicate:
            duplicate = moved._replace(
                send_at=moved.send_at + random.uniform(1, 90), is_duplicate=True
            )
            arriving.append(duplicate)
            faults.append(_build_injected_fault("duplicate", duplicate))
        if step.kind.source in JSON_SOURCES and random.random() < rates.bad_payload:
            cut = moved._replace(send_at=moved.send_at + random.uniform(1, 9), truncated=True)
            arriving.append(cut)
            faults.append(_build_injected_fault("bad_payload", cut))
    return sorted(arriving), faults


def _is_from_3pl(step: SimulatedStep) -> bool:
    return step.kind.source == "3pl"


def _randomly_delay_or_reorder(
    random: Random, rates: FaultRates, steps: list[SimulatedStep], index: int
) -> tuple[SimulatedStep, str]:
    step = steps[index]
    draw = random.random()
    if draw < rates.late:
        if step.kind in DELAYABLE_KINDS:
            return step._replace(send_at=step.send_at + random.uniform(2, 8) * HOUR), "late"
        return step, ""
    if draw < rates.late + rates.reordered:
        following = (s for s in steps[index + 1 :] if s.kind not in ERP_KINDS)
        after = next((s.send_at for s in following), None)
        if after is not None and after - step.send_at < 20 * MINUTE:
            return step._replace(send_at=after + random.uniform(1, 15)), "reordered"
    return step, ""


def _build_injected_fault(name: str, step: SimulatedStep) -> InjectedFaultWithSlaDueTime:
    return InjectedFaultWithSlaDueTime(
        name, step.send_at, detail=f"{step.kind} {step.shipment}.{step.scan_index}"
    )
