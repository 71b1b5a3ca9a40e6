"""The world depends only on its setting, and its orders are plausible."""

from collections import Counter

import pytest

from tests.unit.simulator.conftest import STARTED, world_setting
from visibility.simulator import lifecycle
from visibility.simulator.expected_problems_file import order_fault_entries
from visibility.simulator.faults import FaultRates, SilentPeriods
from visibility.simulator.generator import FIRST_STAGED, HOUR, SimulatedWorld
from visibility.simulator.master_data import DALLAS, EDI_CUSTOMERS, NORTH
from visibility.simulator.past_and_live_streams import order_indexes_until
from visibility.simulator.simulated_order import SalesChannel, SimulatedOrder, StepKind, to_datetime

SHIPPED = {StepKind.WMS_SHIPPED, StepKind.NORTH_SHIPPED}


def orders(world: SimulatedWorld) -> list[SimulatedOrder]:
    return [world.order(n) for n in order_indexes_until(world, world.setting.started)]


def test_equal_settings_generate_equal_orders_in_any_access_order(world: SimulatedWorld) -> None:
    other = SimulatedWorld(world_setting())
    numbers = list(order_indexes_until(world, STARTED))
    backwards = {n: other.order(n) for n in reversed(numbers)}
    assert all(world.order(n) == backwards[n] for n in numbers)


def test_different_seed_generates_a_different_world(world: SimulatedWorld) -> None:
    assert SimulatedWorld(world_setting(seed=4)).order(5) != world.order(5)


def test_90_days_have_about_2600_orders_mostly_on_business_days() -> None:
    world = SimulatedWorld(world_setting(days=90, per_day=40.0))
    assert 2400 < len(world.past_created_at) < 2900
    weekend = sum(to_datetime(at).weekday() >= 5 for at in world.past_created_at)
    assert weekend < len(world.past_created_at) * 0.06


def test_channels_warehouses_and_faults_have_expected_shares() -> None:
    world = SimulatedWorld(world_setting(days=60, per_day=40.0))
    drawn = [world.order(n) for n in range(len(world.past_created_at))]
    count = len(drawn)
    channels = Counter(order.channel for order in drawn)
    assert 0.40 < channels[SalesChannel.WEB] / count < 0.50
    assert 0.30 < channels[SalesChannel.EDI] / count < 0.40
    assert 0.25 < sum(order.warehouse == NORTH for order in drawn) / count < 0.35
    assert 0.01 < sum(order.cancelled_at is not None for order in drawn) / count < 0.04
    short = sum(len(o.shipments) > 1 or o.dropped is not None for o in drawn)
    assert 0.05 < short / count < 0.11
    faults = Counter(fault.name for order in drawn for fault in order.faults)
    assert 0.01 < faults["stuck_order"] / count < 0.035
    assert 0.007 < faults["no_scan"] / count < 0.025
    assert 10 < sum(len(o.steps) for o in drawn) / count < 22


def test_steps_of_an_order_are_in_chronological_order(world: SimulatedWorld) -> None:
    for order in orders(world):
        assert order.created_at <= order.entered_at < order.released_at
        for shipment in order.shipments:
            assert sum(shipment.quantities) > 0
            assert [s.at for s in shipment.scans] == sorted(s.at for s in shipment.scans)
        for step in order.steps:
            assert step.send_at >= step.at
            assert step.at >= order.created_at
        shipped = [sum(q) for q in zip(*(s.quantities for s in order.shipments), strict=True)]
        for index, line in enumerate(order.lines):
            cancelled = dict([order.dropped]).get(index, 0) if order.dropped else 0
            if order.shipments:
                assert shipped[index] + cancelled == line.quantity


def test_order_that_is_not_stuck_ships_within_four_hours(world: SimulatedWorld) -> None:
    for order in orders(world):
        if any(fault.name == "stuck_order" for fault in order.faults) or not order.shipments:
            continue
        assert order.shipments[0].at - order.released_at < lifecycle.STUCK_AFTER - 20 * 60


def test_about_five_percent_of_orders_are_delivered_after_the_promise_date() -> None:
    world = SimulatedWorld(
        world_setting(days=60, per_day=40.0, rates=FaultRates(stuck_order=0.0, no_scan=0.0))
    )
    drawn = [
        order for n in range(len(world.past_created_at)) if (order := world.order(n)).shipments
    ]
    late = sum(
        to_datetime(shipment.scans[-1].at).date() > order.promised
        for order in drawn
        for shipment in order.shipments[-1:]
    )
    assert 0.03 < late / len(drawn) < 0.08


def test_stuck_order_has_no_shipping_step_before_its_end(world: SimulatedWorld) -> None:
    stuck_orders = 0
    for order in orders(world):
        for fault in order.faults:
            if fault.name != "stuck_order":
                continue
            stuck_orders += 1
            assert fault.due_at == order.released_at + lifecycle.STUCK_AFTER
            assert fault.ends_at is not None
            assert fault.ends_at > fault.due_at
            shipped = [s.at for s in order.steps if s.kind in SHIPPED]
            assert all(at >= fault.ends_at - 0.001 for at in shipped)
            before = [s for s in order.steps if s.at <= fault.due_at]
            assert StepKind.WMS_ALLOCATED not in {s.kind for s in before}
            assert shipped or order.cancelled_at == fault.ends_at
    assert stuck_orders > 5


def test_unscanned_package_is_labeled_and_not_scanned_for_a_day() -> None:
    world = SimulatedWorld(world_setting(rates=FaultRates(no_scan=1.0, stuck_order=0.0)))
    never = 0
    for n in range(100):
        order = world.order(n)
        (fault,) = (f for f in order.faults if f.name == "no_scan")
        assert fault.due_at is not None
        scans = [s for s in order.steps if s.kind is StepKind.CARRIER_SCAN and s.scan_index % 8]
        assert all(s.at > fault.due_at + HOUR for s in scans)
        assert any(s.kind is StepKind.CARRIER_SCAN for s in order.steps)
        never += fault.ends_at is None
        assert bool(scans) == (fault.ends_at is not None)
    assert 10 < never < 60


def test_staged_orders_are_due_every_two_minutes_then_every_eight(world: SimulatedWorld) -> None:
    dues = [world.sla_due_at_of_staged_order(i) - STARTED for i in range(1, 20)]
    assert dues[:3] == [40, 160, 280]
    assert dues[14] == 40 + 14 * 120
    assert dues[15] - dues[14] == 480
    for i in range(1, 20):
        order = world.order(world.order_index_of_staged_order(i))
        (fault,) = (f for f in order.faults if f.name == "stuck_order")
        assert fault.due_at == pytest.approx(STARTED + dues[i - 1], abs=0.001)
        assert fault.due_at is not None
        assert fault.ends_at is not None
        assert 6 * 60 <= fault.ends_at - fault.due_at <= 12 * 60 + 1
        assert order.warehouse == DALLAS


def test_purchase_order_4711_is_overdue_since_yesterday(world: SimulatedWorld) -> None:
    order = world.order(FIRST_STAGED)
    assert order.po == "4711"
    assert order.channel is SalesChannel.EDI
    (fault,) = (f for f in order.faults if f.name == "stuck_order")
    assert fault.due_at is not None
    assert fault.ends_at is not None
    assert fault.due_at < STARTED < fault.ends_at


def test_staged_and_live_indexes_never_collide(world: SimulatedWorld) -> None:
    live = {world.order_index_of_live_order(k) for k in range(100_000)}
    staged = {world.order_index_of_staged_order(i) for i in range(20_000)}
    assert len(live) == 100_000
    assert not live & staged
    assert not live & set(range(len(world.past_created_at)))


def test_purchase_order_numbers_are_unique_per_customer(world: SimulatedWorld) -> None:
    assert len({c.isa for c in EDI_CUSTOMERS}) == len(EDI_CUSTOMERS) == 6
    pairs = [(o.customer.number, o.po) for o in orders(world) if o.po]
    assert len(pairs) == len(set(pairs))


def test_3pl_messages_of_a_silent_period_are_sent_after_it(world: SimulatedWorld) -> None:
    silent_periods = world.silent_periods
    assert isinstance(silent_periods, SilentPeriods)
    start, end = silent_periods.live_period_by_index(2)
    assert silent_periods.period_at(start + 1) == (start, end)
    assert silent_periods.period_at(end + 1) is None
    assert len(silent_periods.past) == 2
    for order in orders(world):
        for step in order.steps:
            if step.kind.source == "3pl":
                assert silent_periods.period_at(step.send_at) is None or step.is_duplicate


def test_invalid_rates_are_rejected_with_a_message() -> None:
    assert FaultRates.parse("duplicate=0.5, late=0").duplicate == 0.5
    for text in ("flood=1", "late", "late=2", "late=x"):
        with pytest.raises(ValueError, match=r"fault|form|between"):
            FaultRates.parse(text)


def test_some_orders_are_on_credit_hold_before_release() -> None:
    world = SimulatedWorld(world_setting(days=60, per_day=40.0))
    drawn = [world.order(n) for n in range(len(world.past_created_at))]
    on_hold = [order for order in drawn if order.credit_hold_at is not None]
    assert 0.02 < len(on_hold) / len(drawn) < 0.06
    assert all(o.entered_at < o.credit_hold_at < o.released_at for o in on_hold if o.credit_hold_at)
    shipped = [o for o in on_hold if o.cancelled_at is None]
    assert all(any(step.kind is StepKind.ERP_REVIEW for step in o.steps) for o in shipped)


def test_erp_contradicts_other_systems_where_configured() -> None:
    rates = FaultRates(erp_blind=1.0, price_drift=1.0)
    world = SimulatedWorld(world_setting(days=20, per_day=40.0, rates=rates))
    drawn = [world.order(n) for n in range(len(world.past_created_at))]
    blind = [order for order in drawn if order.blind_from is not None]
    assert blind
    for order in blind:
        posted = {s.shipment for s in order.steps if s.kind is StepKind.ERP_SHIPPED}
        shipped = {s.shipment for s in order.steps if s.kind in SHIPPED}
        assert (posted, shipped) == ({0}, {0, 1})
    drifted = [order for order in drawn if order.drift]
    assert {order.channel for order in drifted} == {SalesChannel.WEB, SalesChannel.EDI}
    assert all(order.erp_unit_price_cents(order.drift[0]) > 0 for order in drifted if order.drift)
    expected = {entry["fault"]: entry["expect"] for o in drawn for entry in order_fault_entries(o)}
    assert expected["erp_blind"] == {"alert": None, "conflict": "shipped"}
    assert expected["price_drift"] == {"alert": None, "conflict": "price"}


def test_back_ordered_line_gets_a_second_promise_date() -> None:
    world = SimulatedWorld(world_setting(days=20, per_day=40.0))
    split_orders = [
        o for n in range(len(world.past_created_at)) if len((o := world.order(n)).shipments) > 1
    ]
    assert split_orders
    assert all(order.repromised and order.repromised > order.promised for order in split_orders)
