"""Line fill rate, first pass."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from connectors.sdk.events import EventType, Measure
from tests.show.told import at, ordered, quantities, shipped, tell, timeline
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.kpi.definitions.unit_fill_rate import UnitFillRate
from visibility.kpi.kpi import Measured
from visibility.timeline import Spoken, Timeline

PROMISED = "2026-03-10"


def measure(told: Timeline, zone: str = "UTC") -> Measured | None:
    return FillRate().measure(told, zone)


def counted(told: Timeline) -> tuple[int, int]:
    found = measure(told)
    assert found is not None
    assert found.excluded == ""
    return int(found.numerator or 0), int(found.denominator or 0)


def excluded(told: Timeline) -> str:
    found = measure(told)
    assert found is not None
    assert (found.numerator, found.denominator) == (None, None)
    return found.excluded


def test_the_golden_case_fills_170_of_200_units_and_4_of_6_lines() -> None:
    first = timeline(
        [ordered({"A": 50, "B": 30, "C": 20}), shipped({"A": 50, "B": 30, "C": 10}, at(3))]
    )
    second = timeline(
        [ordered({"D": 40, "E": 40, "F": 20}), shipped({"D": 40, "E": 20, "F": 20}, at(3))]
    )
    lines, units = FillRate(), UnitFillRate()
    found = [kpi.measure(told, "UTC") for kpi in (lines, units) for told in (first, second)]
    sums = [(int(m.numerator or 0), int(m.denominator or 0)) for m in found if m]
    assert sums == [(2, 3), (2, 3), (90, 100), (80, 100)]
    assert (sum(n for n, _ in sums[:2]), sum(d for _, d in sums[:2])) == (4, 6)
    assert sum(n for n, _ in sums[2:]) / sum(d for _, d in sums[2:]) == 0.85


def test_only_the_first_shipment_counts() -> None:
    told = timeline(
        [
            ordered({"A": 5, "B": 3}),
            shipped({"A": 5}, at(3), "S1"),
            shipped({"B": 3}, at(4), "S2"),
        ]
    )
    assert counted(told) == (1, 2)


def test_a_second_telling_of_the_first_shipment_is_not_a_second_shipment() -> None:
    erp = tell(
        "erp",
        EventType.ORDER_CHANGED,
        at(3, 14),
        lines=quantities(Measure.SHIPPED, {"A": 5}),
    )
    told = timeline([ordered({"A": 5, "B": 3}), shipped({"A": 5}, at(3)), erp])
    assert counted(told) == (1, 2)


def test_running_totals_of_an_erp_count_by_the_first_of_them() -> None:
    totals = [
        tell("erp", EventType.ORDER_CHANGED, at(day), lines=quantities(Measure.SHIPPED, figures))
        for day, figures in ((3, {"A": 5, "B": 0}), (5, {"A": 5, "B": 3}))
    ]
    assert counted(timeline([ordered({"A": 5, "B": 3}), *totals])) == (1, 2)


def test_more_than_ordered_counts_as_ordered() -> None:
    told = timeline([ordered({"A": 5, "B": 5}), shipped({"A": 9, "B": 1}, at(3))])
    units = UnitFillRate().measure(told, "UTC")
    assert counted(told) == (1, 2)
    assert units
    assert units == Measured(date(2026, 3, 3), Decimal(6), Decimal(10))


def test_a_line_without_quantity_is_no_line() -> None:
    assert counted(timeline([ordered({"A": 5, "FREIGHT": 0}), shipped({"A": 5}, at(3))])) == (1, 1)


def test_a_voided_first_shipment_is_none() -> None:
    void = tell("wms", EventType.SHIPMENT_VOID, at(4), shipment="S1")
    told = timeline(
        [ordered({"A": 5}), shipped({"A": 5}, at(3)), void, shipped({"A": 2}, at(5), "S2")]
    )
    assert counted(told) == (0, 1)


def test_an_order_not_shipped_at_its_promise_is_a_miss() -> None:
    told = [ordered({"A": 5, "B": 1}, promised_at=PROMISED)]
    assert counted(timeline(told, as_of=at(11))) == (0, 2)


def test_before_the_promise_and_the_shipment_nothing_counts() -> None:
    assert measure(timeline([ordered({"A": 5}, promised_at=PROMISED)], as_of=at(10, 23))) is None


def test_neither_promise_nor_shipment_is_left_out_on_the_day_of_the_order() -> None:
    found = measure(timeline([ordered({"A": 5})]))
    assert found == Measured(date(2026, 3, 2), None, None, "no_cut_off")


def test_the_customer_taking_it_back_in_time_is_left_out() -> None:
    cancel = tell("shop", EventType.ORDER_CANCELLED, at(4), reason="customer")
    told = [ordered({"A": 5}, promised_at=PROMISED), cancel]
    assert excluded(timeline(told)) == "cancelled_before_cut_off"


def test_the_customer_taking_it_back_too_late_leaves_a_miss() -> None:
    cancel = tell("shop", EventType.ORDER_CANCELLED, at(12), reason="customer")
    assert counted(timeline([ordered({"A": 5}, promised_at=PROMISED), cancel])) == (0, 1)


@pytest.mark.parametrize(
    "short",
    [
        tell("shop", EventType.ORDER_CANCELLED, at(4), reason="Out of stock"),
        tell("wms", EventType.ORDER_CANCELLED, at(4)),
    ],
)
def test_what_we_cancel_for_want_of_stock_stays_in_as_a_miss(short: Spoken) -> None:
    assert counted(timeline([ordered({"A": 5}, promised_at=PROMISED), short])) == (0, 1)


def test_a_part_the_customer_took_back_is_no_demand_and_a_shorted_one_is() -> None:
    back = tell(
        "shop", EventType.ORDER_CHANGED, at(3), lines=quantities(Measure.CANCELLED, {"A": 2})
    )
    short = tell(
        "wms", EventType.LINE_SHORTED, at(3), lines=quantities(Measure.CANCELLED, {"B": 2})
    )
    told = timeline([ordered({"A": 5, "B": 5}), back, short, shipped({"A": 3, "B": 3}, at(4))])
    units = UnitFillRate().measure(told, "UTC")
    assert counted(told) == (1, 2)
    assert units
    assert units == Measured(date(2026, 3, 4), Decimal(6), Decimal(8))


def test_a_shipment_without_quantities_is_left_out() -> None:
    told = timeline([ordered({"A": 5}), tell("wms", EventType.SHIPMENT_CONFIRMED, at(3))])
    assert excluded(told) == "no_shipped_quantity"


def test_an_order_without_lines_is_left_out() -> None:
    told = timeline([ordered({}), shipped({"A": 5}, at(3))])
    assert excluded(timeline([ordered({}, promised_at=PROMISED)])) == "no_lines"
    assert measure(told) is not None


def test_the_day_is_that_of_the_zone() -> None:
    told = timeline([ordered({"A": 5}), shipped({"A": 5}, at(4, 3))])
    dallas, berlin = measure(told, "America/Chicago"), measure(told, "Europe/Berlin")
    assert dallas
    assert berlin
    assert (dallas.day, berlin.day) == (date(2026, 3, 3), date(2026, 3, 4))


def test_a_bare_promised_date_lasts_until_its_midnight_in_the_zone() -> None:
    told = [ordered({"A": 5}, promised_at=PROMISED)]
    late = at(11, 3)
    assert late.astimezone(ZoneInfo("America/Chicago")).day == 10
    assert measure(timeline(told, as_of=late), "America/Chicago") is None
    found = measure(timeline(told, as_of=at(11, 7)), "America/Chicago")
    assert found
    assert found.day == date(2026, 3, 10)


def test_what_the_seller_takes_off_the_order_afterwards_was_demand_all_the_same() -> None:
    reduced = tell(
        "erp",
        EventType.ORDER_CHANGED,
        at(3, 13),
        lines=quantities(Measure.ORDERED, {"A": 3, "B": 2}),
    )
    told = timeline(
        [ordered({"A": 5, "B": 2}), shipped({"A": 3, "B": 2}, at(3)), reduced],
    )
    assert told.lines[0].get(Measure.ORDERED) == 3
    assert counted(told) == (1, 2)


def test_what_the_customer_changed_before_the_cut_off_is_what_was_wanted() -> None:
    changed = tell(
        "shop", EventType.ORDER_CHANGED, at(2, 20), lines=quantities(Measure.ORDERED, {"A": 3})
    )
    told = timeline([ordered({"A": 5}), changed, shipped({"A": 3}, at(3))])
    assert counted(told) == (1, 1)
