"""What happens when: every order of the past and of the time to come, from a seed alone."""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from math import ceil
from random import Random

from visibility.simulator import catalog, lifecycle
from visibility.simulator.faults import Rates, Silences, disturb
from visibility.simulator.model import Channel, Fault, Kind, Line, Order, Step, when

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# Monday to Sunday; a business day has one on average.
WEEKDAYS = (1.15, 1.08, 1.0, 0.97, 0.8, 0.1, 0.05)
# Live orders begin this long before the first start, so that every stage is busy at once.
WARM_UP = 6 * HOUR
STAGED, STAGED_MORE = 90_000, 5_000_000
STAGED_FIRST, STAGED_SOON, STAGED_COUNT, STAGED_LATER = 40.0, 120.0, 15, 480.0
PULSE = 100.0
# The share of orders that credit looks at before they are released.
HELD = 0.04
CACHED = 1500


@dataclass(frozen=True)
class Setting:
    """What one world is made of; the same setting is the same world."""

    seed: int
    anchor: float  # midnight before the first start
    started: float
    days: int = 90
    per_day: float = 40.0
    speed: float = 75.0
    rates: Rates = field(default_factory=Rates)


class World:
    """Orders by their index: the past, then `live` ones from `base` on, staged ones from 90,000."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.past = self._past()
        self.base = 1000 * ceil((len(self.past) + 1) / 1000)
        self.gap = DAY / (setting.per_day * setting.speed)
        self.warm = setting.started - WARM_UP
        self.silences: Silences | None = None
        if setting.rates.silent_feed > 0:
            self.silences = Silences(
                Random(f"{setting.seed} silent"),
                anchor=setting.anchor,
                started=setting.started,
                days=setting.days,
            )
        self._known: OrderedDict[int, Order] = OrderedDict()

    def _past(self) -> list[float]:
        """When the orders of the past and of the first day came in, oldest first."""
        setting, random, found = self.setting, Random(f"{self.setting.seed} days"), []
        for day in range(setting.days, -1, -1):
            start = setting.anchor - day * DAY
            mean = setting.per_day * WEEKDAYS[when(start).weekday()]
            count = round(mean * random.uniform(0.85, 1.15))
            found += sorted(start + random.triangular(6, 21, 13) * HOUR for _ in range(count))
        return found

    def live_index(self, k: int) -> int:
        """The index of live order `k`; it leaves out the staged ones."""
        n = self.base + k
        return n if n < STAGED else n + 10_000

    def live_at(self, k: int) -> float:
        """When live order `k` comes in; spread evenly, a little uneven."""
        jitter = (k * 0.6180339887 + self.setting.seed * 0.37) % 1
        return self.warm + (k + jitter * 0.9) * self.gap

    def staged_index(self, i: int) -> int:
        """The index of staged order `i`."""
        return STAGED + i if i < 10_000 else STAGED_MORE + i

    def staged_due(self, i: int) -> float:
        """When staged order `i` misses its promise; number 0 is yesterday's PO 4711."""
        if i == 0:
            return self.setting.started - 18 * HOUR
        first = self.setting.started + STAGED_FIRST
        soon = min(i - 1, STAGED_COUNT - 1)
        return first + soon * STAGED_SOON + max(0, i - STAGED_COUNT) * STAGED_LATER

    def staged_at(self, i: int) -> float:
        """When staged order `i` comes in: six minutes before its release."""
        return self.staged_due(i) - lifecycle.STUCK_AFTER - 6 * MINUTE

    def order(self, n: int) -> Order:
        """Order `n`, whole."""
        found = self._known.get(n)
        if found is None:
            found = self._known[n] = self._draw(n)
            if len(self._known) > CACHED:
                self._known.popitem(last=False)
        return found

    def _draw(self, n: int) -> Order:
        rates, random = self.setting.rates, Random(f"{self.setting.seed} {n}")
        if STAGED <= n < STAGED + 10_000 or n >= STAGED_MORE:
            return self._staged(random, n)
        if n < len(self.past):
            created = self.past[n]
        else:
            created = self.live_at(n - self.base - (10_000 if n >= STAGED else 0))
        order = _taken(random, n, created)
        stuck = random.random() < rates.stuck_order
        unscanned = random.random() < rates.no_scan
        order = lifecycle.fulfil(random, order, stuck=stuck, unscanned=unscanned)
        return self._told(random, self._contradicted(random, order))

    def _contradicted(self, random: Random, order: Order) -> Order:
        """Where the ERP goes on saying something else than the others."""
        rates = self.setting.rates
        if len(order.shipments) > 1 and random.random() < rates.erp_blind:
            order = lifecycle.blind(order)
        if order.channel is not Channel.INSIDE and random.random() < rates.price_drift:
            order = lifecycle.drift(random, order)
        return order

    def _staged(self, random: Random, n: int) -> Order:
        i = n - STAGED if n < STAGED_MORE else n - STAGED_MORE
        due = self.staged_due(i)
        channel = Channel.EDI if i == 0 else random.choice((Channel.WEB, Channel.EDI))
        order = replace(
            _taken(random, n, self.staged_at(i), channel),
            warehouse=catalog.DALLAS,  # the 3PL may be silent just then
            entered_at=round(due - lifecycle.STUCK_AFTER - 5.5 * MINUTE, 3),
            released_at=round(due - lifecycle.STUCK_AFTER, 3),
            held_at=None,
        )
        if i == 0:
            order = replace(order, po="4711")
            end = due + 66 * HOUR
        else:
            end = due + random.uniform(6, 12) * MINUTE
        return self._told(
            random, lifecycle.fulfil(random, order, stuck=True, unscanned=False, at=end)
        )

    def _told(self, random: Random, order: Order) -> Order:
        steps = lifecycle.steps(random, order)
        faults: list[Fault] = list(order.faults)
        packed = next((s for s in steps if s.kind is Kind.WMS_PACKED), None)
        if packed and random.random() < self.setting.rates.unknown_status:
            odd = Step(packed.at - 20, packed.at - 20, Kind.WMS_UNKNOWN)
            steps = sorted([*steps, odd])
            faults.append(Fault("unknown_status", odd.at))
        steps, more = disturb(random, self.setting.rates, steps, self.silences)
        return replace(order, steps=tuple(steps), faults=(*faults, *more))


def _taken(random: Random, n: int, created: float, channel: Channel | None = None) -> Order:
    """The order as the customer gives it."""
    created = round(created, 3)
    channel = channel or random.choices(tuple(Channel), (45, 35, 20))[0]
    crowd = {
        Channel.WEB: catalog.WEB_CUSTOMERS,
        Channel.EDI: catalog.EDI_CUSTOMERS,
        Channel.INSIDE: catalog.INSIDE_CUSTOMERS,
    }[channel]
    # Some buy far more than others.
    customer = crowd[int(len(crowd) * random.random() ** 1.7)]
    count = random.choices(range(1, 10), (24, 20, 16, 12, 9, 7, 5, 4, 3))[0]
    quantities = random.choices((1, 2, 3, 4, 5, 6, 10, 12, 20, 24, 50), k=count)
    items = random.sample(catalog.ITEMS, count)
    entered = created if channel is Channel.INSIDE else created + random.uniform(10, 60)
    released = entered + random.uniform(60, 300)
    held = released - 20 if random.random() < HELD else None
    if held is not None:
        released = held + random.triangular(0.3, 9, 2) * HOUR
    day = when(created).date()
    return Order(
        n=n,
        channel=channel,
        customer=customer,
        po=_po(customer, n, channel),
        warehouse=random.choices((catalog.DALLAS, catalog.NORTH), (70, 30))[0],
        carrier=random.choices(catalog.CARRIERS, catalog.CARRIER_SHARES)[0],
        lines=tuple(
            Line(place, item, quantity)
            for place, (item, quantity) in enumerate(zip(items, quantities, strict=True), 1)
        ),
        created_at=created,
        entered_at=round(entered, 3),
        released_at=round(released, 3),
        held_at=round(held, 3) if held is not None else None,
        requested=day + timedelta(days=random.randint(4, 7)),
        promised=day + timedelta(days=7),
        shipments=(),
    )


def _po(customer: catalog.Customer, n: int, channel: Channel) -> str:
    """The customer's own number: each writes it in its way."""
    if channel is Channel.WEB:
        return ""
    forms = ("45{:08d}", "PO-{:06d}", "P{:07d}", "{:06d}-00", "MRO{:06d}", "{:07d}")
    return forms[int(customer.number[-2:]) % len(forms)].format(100000 + n)
