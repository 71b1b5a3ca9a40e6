"""Generate every past and future order from a seed."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import ceil
from random import Random

from visibility.simulator import lifecycle, list_all_steps_of_order, master_data
from visibility.simulator.faults import FaultRates, SilentPeriods, inject_faults
from visibility.simulator.simulated_order import (
    InjectedFaultWithSlaDueTime,
    SalesChannel,
    SimulatedLine,
    SimulatedOrder,
    SimulatedStep,
    StepKind,
    to_datetime,
)

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# Order volume from Monday to Sunday; the average business day is 1.
WEEKDAY_FACTORS = (1.15, 1.08, 1.0, 0.97, 0.8, 0.1, 0.05)
# Live orders begin this long before the first start, so that every stage is busy immediately.
WARM_UP = 6 * HOUR
FIRST_STAGED, FIRST_STAGED_OVERFLOW = 90_000, 5_000_000
FIRST_STAGED_DUE_AFTER, STAGED_INTERVAL, FREQUENT_STAGED_COUNT, STAGED_LATER_INTERVAL = (
    40.0,
    120.0,
    15,
    480.0,
)
HEARTBEAT_INTERVAL = 100.0
# The fraction of orders on credit hold before their release.
CREDIT_HOLD_RATE = 0.04
MAX_CACHED_ORDERS = 1500


@dataclass(frozen=True)
class WorldSetting:
    """The parameters of a world. Equal settings generate equal worlds."""

    seed: int
    anchor: float  # midnight before the first start
    started: float
    days: int = 90
    per_day: float = 40.0
    speed: float = 75.0
    rates: FaultRates = field(default_factory=FaultRates)


class SimulatedWorld:
    """Orders by index: past ones, live ones from `first_live_index`, staged ones from 90,000.

    Staged orders miss their SLA at known times, so that a demo always has fresh alerts.
    """

    def __init__(self, setting: WorldSetting) -> None:
        self.setting = setting
        self.past_created_at = self._past_creation_times()
        self.first_live_index = 1000 * ceil((len(self.past_created_at) + 1) / 1000)
        self.live_interval = DAY / (setting.per_day * setting.speed)
        self.live_start = setting.started - WARM_UP
        self.silent_periods: SilentPeriods | None = None
        if setting.rates.silent_feed > 0:
            self.silent_periods = SilentPeriods(
                Random(f"{setting.seed} silent"),
                anchor=setting.anchor,
                started=setting.started,
                days=setting.days,
            )
        self._cache: OrderedDict[int, SimulatedOrder] = OrderedDict()

    def _past_creation_times(self) -> list[float]:
        """When the orders of the past and of the first day were created, oldest first."""
        setting, random, created = self.setting, Random(f"{self.setting.seed} days"), list[float]()
        for day in range(setting.days, -1, -1):
            start = setting.anchor - day * DAY
            mean = setting.per_day * WEEKDAY_FACTORS[to_datetime(start).weekday()]
            count = round(mean * random.uniform(0.85, 1.15))
            created += sorted(start + random.triangular(6, 21, 13) * HOUR for _ in range(count))
        return created

    def order_index_of_live_order(self, k: int) -> int:
        """The order index of live order `k`; skips the indexes of staged orders."""
        n = self.first_live_index + k
        return n if n < FIRST_STAGED else n + 10_000

    def live_created_at(self, k: int) -> float:
        """When live order `k` is created: evenly spaced with some jitter."""
        jitter = (k * 0.6180339887 + self.setting.seed * 0.37) % 1
        return self.live_start + (k + jitter * 0.9) * self.live_interval

    def order_index_of_staged_order(self, i: int) -> int:
        """The order index of staged order `i`."""
        return FIRST_STAGED + i if i < 10_000 else FIRST_STAGED_OVERFLOW + i

    def sla_due_at_of_staged_order(self, i: int) -> float:
        """When staged order `i` misses its SLA; order 0 is yesterday's PO 4711."""
        if i == 0:
            return self.setting.started - 18 * HOUR
        first = self.setting.started + FIRST_STAGED_DUE_AFTER
        soon = min(i - 1, FREQUENT_STAGED_COUNT - 1)
        return (
            first
            + soon * STAGED_INTERVAL
            + max(0, i - FREQUENT_STAGED_COUNT) * STAGED_LATER_INTERVAL
        )

    def staged_created_at(self, i: int) -> float:
        """When staged order `i` is created: six minutes before its release."""
        return self.sla_due_at_of_staged_order(i) - lifecycle.STUCK_AFTER - 6 * MINUTE

    def order(self, n: int) -> SimulatedOrder:
        """Return order `n` with all its past and future steps."""
        order = self._cache.get(n)
        if order is None:
            order = self._cache[n] = self._generate_order(n)
            if len(self._cache) > MAX_CACHED_ORDERS:
                self._cache.popitem(last=False)
        return order

    def _generate_order(self, n: int) -> SimulatedOrder:
        rates, random = self.setting.rates, Random(f"{self.setting.seed} {n}")
        if FIRST_STAGED <= n < FIRST_STAGED + 10_000 or n >= FIRST_STAGED_OVERFLOW:
            return self._generate_staged_order_that_misses_sla(random, n)
        if n < len(self.past_created_at):
            created = self.past_created_at[n]
        else:
            created = self.live_created_at(
                n - self.first_live_index - (10_000 if n >= FIRST_STAGED else 0)
            )
        order = _generate_placed_order(random, n, created)
        stuck = random.random() < rates.stuck_order
        unscanned = random.random() < rates.no_scan
        order = lifecycle.add_shipments_or_cancellation(
            random, order, stuck=stuck, unscanned=unscanned
        )
        return self._with_steps_and_faults(random, self._with_erp_conflicts(random, order))

    def _with_erp_conflicts(self, random: Random, order: SimulatedOrder) -> SimulatedOrder:
        """Let the ERP contradict the other systems for a fraction of the orders."""
        rates = self.setting.rates
        if len(order.shipments) > 1 and random.random() < rates.erp_blind:
            order = lifecycle.omit_second_erp_shipment(order)
        if order.channel is not SalesChannel.INSIDE and random.random() < rates.price_drift:
            order = lifecycle.add_erp_price_difference(random, order)
        return order

    def _generate_staged_order_that_misses_sla(self, random: Random, n: int) -> SimulatedOrder:
        i = n - FIRST_STAGED if n < FIRST_STAGED_OVERFLOW else n - FIRST_STAGED_OVERFLOW
        due = self.sla_due_at_of_staged_order(i)
        channel = (
            SalesChannel.EDI if i == 0 else random.choice((SalesChannel.WEB, SalesChannel.EDI))
        )
        order = replace(
            _generate_placed_order(random, n, self.staged_created_at(i), channel),
            warehouse=master_data.DALLAS,  # the 3PL feed may be silent at that time
            entered_at=round(due - lifecycle.STUCK_AFTER - 5.5 * MINUTE, 3),
            released_at=round(due - lifecycle.STUCK_AFTER, 3),
            credit_hold_at=None,
        )
        if i == 0:
            order = replace(order, po="4711")
            end = due + 66 * HOUR
        else:
            end = due + random.uniform(6, 12) * MINUTE
        return self._with_steps_and_faults(
            random,
            lifecycle.add_shipments_or_cancellation(
                random, order, stuck=True, unscanned=False, at=end
            ),
        )

    def _with_steps_and_faults(self, random: Random, order: SimulatedOrder) -> SimulatedOrder:
        steps = list_all_steps_of_order.build_all_reported_steps(random, order)
        faults: list[InjectedFaultWithSlaDueTime] = list(order.faults)
        packed = next((s for s in steps if s.kind is StepKind.WMS_PACKED), None)
        if packed and random.random() < self.setting.rates.unknown_status:
            unknown = SimulatedStep(packed.at - 20, packed.at - 20, StepKind.WMS_UNKNOWN)
            steps = sorted([*steps, unknown])
            faults.append(InjectedFaultWithSlaDueTime("unknown_status", unknown.at))
        steps, injected = inject_faults(random, self.setting.rates, steps, self.silent_periods)
        return replace(order, steps=tuple(steps), faults=(*faults, *injected))


def _generate_placed_order(
    random: Random, n: int, created: float, channel: SalesChannel | None = None
) -> SimulatedOrder:
    """The order as the customer places it."""
    created = round(created, 3)
    channel = channel or random.choices(tuple(SalesChannel), (45, 35, 20))[0]
    customers = {
        SalesChannel.WEB: master_data.WEB_CUSTOMERS,
        SalesChannel.EDI: master_data.EDI_CUSTOMERS,
        SalesChannel.INSIDE: master_data.INSIDE_CUSTOMERS,
    }[channel]
    # Some customers buy far more than others.
    customer = customers[int(len(customers) * random.random() ** 1.7)]
    count = random.choices(range(1, 10), (24, 20, 16, 12, 9, 7, 5, 4, 3))[0]
    quantities = random.choices((1, 2, 3, 4, 5, 6, 10, 12, 20, 24, 50), k=count)
    items = random.sample(master_data.ITEMS, count)
    entered = created if channel is SalesChannel.INSIDE else created + random.uniform(10, 60)
    released = entered + random.uniform(60, 300)
    hold_at = released - 20 if random.random() < CREDIT_HOLD_RATE else None
    if hold_at is not None:
        released = hold_at + random.triangular(0.3, 9, 2) * HOUR
    day = to_datetime(created).date()
    return SimulatedOrder(
        n=n,
        channel=channel,
        customer=customer,
        po=_customer_po(customer, n, channel),
        warehouse=random.choices((master_data.DALLAS, master_data.NORTH), (70, 30))[0],
        carrier=random.choices(master_data.CARRIERS, master_data.CARRIER_WEIGHTS)[0],
        lines=tuple(
            SimulatedLine(number, item, quantity)
            for number, (item, quantity) in enumerate(zip(items, quantities, strict=True), 1)
        ),
        created_at=created,
        entered_at=round(entered, 3),
        released_at=round(released, 3),
        credit_hold_at=round(hold_at, 3) if hold_at is not None else None,
        requested=day + timedelta(days=random.randint(4, 7)),
        promised=day + timedelta(days=7),
        shipments=(),
    )


def _customer_po(customer: master_data.SimulatedCustomer, n: int, channel: SalesChannel) -> str:
    """The customer's purchase order number; each customer has its own format."""
    if channel is SalesChannel.WEB:
        return ""
    forms = ("45{:08d}", "PO-{:06d}", "P{:07d}", "{:06d}-00", "MRO{:06d}", "{:07d}")
    return forms[int(customer.number[-2:]) % len(forms)].format(100000 + n)
