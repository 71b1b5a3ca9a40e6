"""The world is a function of its setting, and its orders make sense."""

from collections import Counter

import pytest

from tests.management.simulator.conftest import STARTED, setting
from visibility.simulator import lifecycle
from visibility.simulator.answer_key import entries
from visibility.simulator.catalog import DALLAS, EDI_CUSTOMERS, NORTH
from visibility.simulator.faults import Rates, Silences
from visibility.simulator.generator import HOUR, STAGED, World
from visibility.simulator.model import Channel, Kind, Order, when
from visibility.simulator.stream import orders_until

SHIPPED = {Kind.WMS_SHIPPED, Kind.NORTH_SHIPPED}


def orders(world: World) -> list[Order]:
    return [world.order(n) for n in orders_until(world, world.setting.started)]


def test_the_same_setting_is_the_same_world_in_any_order_of_asking(world: World) -> None:
    other = World(setting())
    numbers = list(orders_until(world, STARTED))
    backwards = {n: other.order(n) for n in reversed(numbers)}
    assert all(world.order(n) == backwards[n] for n in numbers)


def test_another_seed_is_another_world(world: World) -> None:
    assert World(setting(seed=4)).order(5) != world.order(5)


def test_a_quarter_year_has_about_2600_orders_on_business_days() -> None:
    made = World(setting(days=90, per_day=40.0))
    assert 2400 < len(made.past) < 2900
    weekend = sum(when(at).weekday() >= 5 for at in made.past)
    assert weekend < len(made.past) * 0.06


def test_channels_warehouses_and_faults_have_their_shares() -> None:
    made = World(setting(days=60, per_day=40.0))
    drawn = [made.order(n) for n in range(len(made.past))]
    count = len(drawn)
    channels = Counter(order.channel for order in drawn)
    assert 0.40 < channels[Channel.WEB] / count < 0.50
    assert 0.30 < channels[Channel.EDI] / count < 0.40
    assert 0.25 < sum(order.warehouse == NORTH for order in drawn) / count < 0.35
    assert 0.01 < sum(order.cancelled_at is not None for order in drawn) / count < 0.04
    short = sum(len(o.shipments) > 1 or o.dropped is not None for o in drawn)
    assert 0.05 < short / count < 0.11
    faults = Counter(fault.name for order in drawn for fault in order.faults)
    assert 0.01 < faults["stuck_order"] / count < 0.035
    assert 0.007 < faults["no_scan"] / count < 0.025
    assert 10 < sum(len(o.steps) for o in drawn) / count < 22


def test_an_order_goes_its_way_in_time(world: World) -> None:
    for order in orders(world):
        assert order.created_at <= order.entered_at < order.released_at
        for shipment in order.shipments:
            assert sum(shipment.quantities) > 0
            assert [s.at for s in shipment.scans] == sorted(s.at for s in shipment.scans)
        for step in order.steps:
            assert step.send_at >= step.at
            assert step.at >= order.created_at
        shipped = [sum(q) for q in zip(*(s.quantities for s in order.shipments), strict=True)]
        for place, line in enumerate(order.lines):
            gone = dict([order.dropped]).get(place, 0) if order.dropped else 0
            if order.shipments:
                assert shipped[place] + gone == line.quantity


def test_who_is_not_stuck_ships_within_four_hours(world: World) -> None:
    for order in orders(world):
        if any(fault.name == "stuck_order" for fault in order.faults) or not order.shipments:
            continue
        assert order.shipments[0].at - order.released_at < lifecycle.STUCK_AFTER - 20 * 60


def test_one_in_twenty_is_late_against_its_promise() -> None:
    made = World(setting(days=60, per_day=40.0, rates=Rates(stuck_order=0.0, no_scan=0.0)))
    drawn = [order for n in range(len(made.past)) if (order := made.order(n)).shipments]
    late = sum(
        when(shipment.scans[-1].at).date() > order.promised
        for order in drawn
        for shipment in order.shipments[-1:]
    )
    assert 0.03 < late / len(drawn) < 0.08


def test_a_stuck_order_says_nothing_of_shipping_before_its_end(world: World) -> None:
    found = 0
    for order in orders(world):
        for fault in order.faults:
            if fault.name != "stuck_order":
                continue
            found += 1
            assert fault.due_at == order.released_at + lifecycle.STUCK_AFTER
            assert fault.ends_at is not None
            assert fault.ends_at > fault.due_at
            told = [s.at for s in order.steps if s.kind in SHIPPED]
            assert all(at >= fault.ends_at - 0.001 for at in told)
            before = [s for s in order.steps if s.at <= fault.due_at]
            assert Kind.WMS_ALLOCATED not in {s.kind for s in before}
            assert told or order.cancelled_at == fault.ends_at
    assert found > 5


def test_an_unscanned_parcel_is_labelled_and_not_seen_for_a_day() -> None:
    made = World(setting(rates=Rates(no_scan=1.0, stuck_order=0.0)))
    never = 0
    for n in range(100):
        order = made.order(n)
        (fault,) = (f for f in order.faults if f.name == "no_scan")
        assert fault.due_at is not None
        scans = [s for s in order.steps if s.kind is Kind.TRACKED and s.item % 8]
        assert all(s.at > fault.due_at + HOUR for s in scans)
        assert any(s.kind is Kind.TRACKED for s in order.steps)
        never += fault.ends_at is None
        assert bool(scans) == (fault.ends_at is not None)
    assert 10 < never < 60


def test_staged_orders_fall_due_every_two_minutes_then_every_eight(world: World) -> None:
    dues = [world.staged_due(i) - STARTED for i in range(1, 20)]
    assert dues[:3] == [40, 160, 280]
    assert dues[14] == 40 + 14 * 120
    assert dues[15] - dues[14] == 480
    for i in range(1, 20):
        order = world.order(world.staged_index(i))
        (fault,) = (f for f in order.faults if f.name == "stuck_order")
        assert fault.due_at == pytest.approx(STARTED + dues[i - 1], abs=0.001)
        assert fault.due_at is not None
        assert fault.ends_at is not None
        assert 6 * 60 <= fault.ends_at - fault.due_at <= 12 * 60 + 1
        assert order.warehouse == DALLAS


def test_purchase_order_4711_waits_since_yesterday(world: World) -> None:
    order = world.order(STAGED)
    assert order.po == "4711"
    assert order.channel is Channel.EDI
    (fault,) = (f for f in order.faults if f.name == "stuck_order")
    assert fault.due_at is not None
    assert fault.ends_at is not None
    assert fault.due_at < STARTED < fault.ends_at


def test_staged_and_live_indices_never_meet(world: World) -> None:
    live = {world.live_index(k) for k in range(100_000)}
    staged = {world.staged_index(i) for i in range(20_000)}
    assert len(live) == 100_000
    assert not live & staged
    assert not live & set(range(len(world.past)))


def test_purchase_orders_are_unique_for_each_customer(world: World) -> None:
    assert len({c.isa for c in EDI_CUSTOMERS}) == len(EDI_CUSTOMERS) == 6
    pairs = [(o.customer.number, o.po) for o in orders(world) if o.po]
    assert len(pairs) == len(set(pairs))


def test_a_silence_holds_what_the_3pl_says_until_it_is_over(world: World) -> None:
    silences = world.silences
    assert isinstance(silences, Silences)
    start, end = silences.live(2)
    assert silences.window(start + 1) == (start, end)
    assert silences.window(end + 1) is None
    assert len(silences.past) == 2
    for order in orders(world):
        for step in order.steps:
            if step.kind.source == "3pl":
                assert silences.window(step.send_at) is None or step.copy


def test_rates_are_read_with_sentences_for_mistakes() -> None:
    assert Rates.read("duplicate=0.5, late=0").duplicate == 0.5
    for text in ("flood=1", "late", "late=2", "late=x"):
        with pytest.raises(ValueError, match=r"fault|form|between"):
            Rates.read(text)


def test_credit_looks_at_some_orders_and_releases_them() -> None:
    made = World(setting(days=60, per_day=40.0))
    drawn = [made.order(n) for n in range(len(made.past))]
    held = [order for order in drawn if order.held_at is not None]
    assert 0.02 < len(held) / len(drawn) < 0.06
    assert all(o.entered_at < o.held_at < o.released_at for o in held if o.held_at)
    told = [o for o in held if o.cancelled_at is None]
    assert all(any(step.kind is Kind.ERP_REVIEW for step in o.steps) for o in told)


def test_the_erp_contradicts_the_others_where_it_was_made_to() -> None:
    rates = Rates(erp_blind=1.0, price_drift=1.0)
    made = World(setting(days=20, per_day=40.0, rates=rates))
    drawn = [made.order(n) for n in range(len(made.past))]
    blind = [order for order in drawn if order.blind_from is not None]
    assert blind
    for order in blind:
        posted = {s.shipment for s in order.steps if s.kind is Kind.ERP_SHIPPED}
        shipped = {s.shipment for s in order.steps if s.kind in SHIPPED}
        assert (posted, shipped) == ({0}, {0, 1})
    drifted = [order for order in drawn if order.drift]
    assert {order.channel for order in drifted} == {Channel.WEB, Channel.EDI}
    assert all(order.price(order.drift[0]) > 0 for order in drifted if order.drift)
    expected = {entry["fault"]: entry["expect"] for o in drawn for entry in entries(o)}
    assert expected["erp_blind"] == {"alert": None, "conflict": "shipped"}
    assert expected["price_drift"] == {"alert": None, "conflict": "price"}


def test_what_is_left_behind_gets_a_second_promise() -> None:
    made = World(setting(days=20, per_day=40.0))
    parts = [o for n in range(len(made.past)) if len((o := made.order(n)).shipments) > 1]
    assert parts
    assert all(order.repromised and order.repromised > order.promised for order in parts)
