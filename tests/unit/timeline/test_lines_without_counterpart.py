"""Kits without master data: one system lists the kit, and another one its components."""

from itertools import permutations

import pytest

from connectors.sdk.events import Measure
from tests.builders.recorded_events import (
    Figures,
    at,
    delivered,
    invoiced,
    line,
    lines,
    ordered,
    reported,
    shipped,
)
from tests.builders.timelines import folded, line_of
from visibility.kpi.definitions.fill_rate import FillRate
from visibility.timeline import MilestoneCode, RecordedEvent, Status, Timeline
from visibility.timeline.state_and_flag_enums import LineFlag, LineState, OrderState
from visibility.timeline.status_answer import status_answer

COMPONENTS = {"BOLT": 4, "PLATE": 1}
NO_COUNTERPART = (LineFlag.NO_COUNTERPART,)


def sold(figures: Figures) -> RecordedEvent:
    """An order of the shop."""
    return ordered(figures, source="shop")


def released(figures: Figures) -> RecordedEvent:
    """The warehouse's own order, with its lines."""
    return reported("wms", "order.released", at(2, 14), lines("ordered", figures))


def answer(timeline: Timeline) -> str:
    """The sentence about the order."""
    return status_answer(timeline, zone="UTC").text


def test_shipped_kit_is_complete_by_the_lines_of_the_warehouse() -> None:
    timeline = folded(
        sold({"KIT": 1, "A": 2}),
        released({"A": 2, **COMPONENTS}),
        shipped({"A": 2, **COMPONENTS}, at(3)),
        delivered(at(4)),
        invoiced({"KIT": 1, "A": 2}, at(5)),
    )
    assert timeline.status is Status.COMPLETED
    assert timeline.milestone_completed_at(MilestoneCode.SHIPPED) == at(3)
    assert timeline.milestone_completed_at(MilestoneCode.DELIVERED) == at(4)
    assert {line.key: (line.is_counted, line.flags) for line in timeline.lines} == {
        "KIT": (False, NO_COUNTERPART),
        "A": (True, ()),
        "BOLT": (True, NO_COUNTERPART),
        "PLATE": (True, NO_COUNTERPART),
    }
    assert (
        "1 ordered line matches no line of the system that ships, so its lines count instead"
        in answer(timeline)
    )
    measured = FillRate().measure(timeline, "UTC")
    assert measured
    assert [measured.numerator, measured.denominator] == [3, 3]
    assert dict(measured.uncountable) == {"no_counterpart": 1}


def test_kit_is_incomplete_until_each_component_is_shipped() -> None:
    events = [
        sold({"KIT": 1}),
        released(COMPONENTS),
        shipped({"BOLT": 4}, at(3)),
        delivered(at(4)),
    ]
    timeline = folded(*events)
    assert timeline.status is Status.PARTIALLY_DELIVERED
    assert timeline.milestone_completed_at(MilestoneCode.SHIPPED) is None
    assert line_of(timeline, "PLATE").state is LineState.ORDERED
    complete = folded(*events, shipped({"PLATE": 1}, at(5), "S2"), delivered(at(6), "S2"))
    assert complete.status is Status.DELIVERED
    assert complete.milestone_completed_at(MilestoneCode.SHIPPED) == at(5)


def test_warehouse_order_of_another_source_counts() -> None:
    """A 940 arrives by EDI, and the shipments by the warehouse's own system."""
    release = reported("edi", "order.released", at(2, 14), lines("ordered", COMPONENTS))
    events = [ordered({"KIT": 1}), release, shipped({"BOLT": 4}, at(3))]
    assert folded(*events).status is Status.PARTIALLY_SHIPPED
    complete = folded(*events, shipped({"PLATE": 1}, at(4), "S2"))
    assert complete.status is Status.SHIPPED


def test_kit_is_complete_if_the_erp_lists_its_components() -> None:
    timeline = folded(ordered(COMPONENTS), sold({"KIT": 2}), shipped({"KIT": 2}, at(3)))
    assert timeline.status is Status.SHIPPED
    assert line_of(timeline, "KIT").is_counted
    assert line_of(timeline, "BOLT").state is LineState.UNCOUNTABLE
    partial = folded(ordered(COMPONENTS), sold({"KIT": 2}), shipped({"KIT": 1}, at(3)))
    assert partial.status is Status.PARTIALLY_SHIPPED


def test_line_of_the_shop_is_flagged_if_erp_and_warehouse_list_the_components() -> None:
    timeline = folded(ordered(COMPONENTS), sold({"KIT": 1}), shipped(COMPONENTS, at(3)))
    assert timeline.status is Status.SHIPPED
    kit = line_of(timeline, "KIT")
    assert (kit.flags, kit.is_counted) == (NO_COUNTERPART, False)
    assert line_of(timeline, "BOLT").flags == ()


@pytest.mark.parametrize("others", [{}, {"A": 2}])
def test_completion_is_unknown_without_the_quantities_to_ship(others: Figures) -> None:
    events = [
        sold({"KIT": 1, **others}),
        shipped({"BOLT": 4, **others}, at(3)),
        delivered(at(4)),
    ]
    timeline = folded(*events[:2])
    assert timeline.status is Status.PARTIALLY_SHIPPED
    assert timeline.milestone_reached_at(MilestoneCode.SHIPPED) == at(3)
    assert timeline.milestone_completed_at(MilestoneCode.SHIPPED) is None
    sentence = "no line of the system that ships, so it is unknown whether everything was shipped"
    assert answer(timeline).startswith("Shipped in part or in full Tue, Mar 3. ")
    assert sentence in answer(timeline)
    shown = status_answer(timeline, zone="UTC")
    assert shown.next_step == "a mapping of the lines that do not match"
    assert shown.customer.endswith("Your order has been shipped in part or in full.")
    arrived = folded(*events)
    assert arrived.status is Status.PARTIALLY_DELIVERED
    assert answer(arrived).startswith("Delivered in part or in full Wed, Mar 4. ")
    assert sentence in answer(arrived)
    assert "delivered in part or in full" in status_answer(arrived, zone="UTC").customer
    measured = FillRate().measure(timeline, "UTC")
    assert measured
    assert measured.excluded == ("" if others else "no_counterpart")


def test_report_about_the_whole_order_completes_it() -> None:
    events = [
        sold({"KIT": 1, "A": 2}),
        shipped({"A": 2, "BOLT": 4}, at(3)),
        shipped({"PLATE": 1}, at(4), "S2"),
    ]
    order_report = reported("wms", "shipment.confirmed", at(4, 14))
    timeline = folded(*events, order_report)
    assert timeline.status is Status.SHIPPED
    assert timeline.milestone_completed_at(MilestoneCode.SHIPPED) == at(4, 14)
    assert "the reports about the whole order count instead" in answer(timeline)
    early = reported("wms", "shipment.confirmed", at(2, 18))
    assert folded(*events, early).milestone_completed_at(MilestoneCode.SHIPPED) == at(3)
    arrived = folded(*events, order_report, delivered(at(5)))
    assert arrived.status is Status.PARTIALLY_DELIVERED
    assert folded(*events, order_report, delivered(at(5)), delivered(at(6), "S2")).status is (
        Status.DELIVERED
    )
    voided = folded(*events, order_report, reported("wms", "shipment.void", at(5)))
    assert voided.status is Status.PARTIALLY_SHIPPED


def test_incomplete_line_stays_open_whatever_the_whole_order_report_says() -> None:
    order_report = reported("wms", "shipment.confirmed", at(4))
    timeline = folded(sold({"KIT": 1, "A": 2}), shipped({"A": 1, "BOLT": 4}, at(3)), order_report)
    assert timeline.status is Status.PARTIALLY_SHIPPED


def test_cancellation_of_the_balance_completes_the_order() -> None:
    timeline = folded(
        sold({"KIT": 1, "A": 2}),
        shipped({"A": 1, **COMPONENTS}, at(3)),
        reported("shop", "order.cancelled", at(4)),
    )
    assert timeline.status is Status.SHIPPED


def test_line_that_the_warehouse_lists_is_only_late() -> None:
    """A sample was added to the shipment; the other line is on its way."""
    for listed in (
        reported("wms", "line.allocated", at(2, 15), lines("allocated", {"B": 1})),
        released({"A": 2, "B": 1}),
    ):
        timeline = folded(sold({"A": 2, "B": 1}), listed, shipped({"A": 2, "SAMPLE": 1}, at(3)))
        assert timeline.status is Status.PARTIALLY_SHIPPED
        assert {line.key: line.flags for line in timeline.lines} == dict.fromkeys(
            ("A", "B", "SAMPLE"), ()
        )
        assert line_of(timeline, "B").is_counted


def test_line_counts_again_when_it_is_shipped_after_all() -> None:
    timeline = folded(
        sold({"A": 2, "B": 1}),
        shipped({"A": 2, "SAMPLE": 1}, at(3)),
        shipped({"B": 1}, at(4), "S2"),
    )
    assert timeline.status is Status.SHIPPED
    assert timeline.milestone_completed_at(MilestoneCode.SHIPPED) == at(4)
    assert not any(line.flags for line in timeline.lines)


def test_additional_item_with_a_cancelled_line_changes_nothing() -> None:
    timeline = folded(
        sold({"A": 2, "B": 1}),
        reported("shop", "order.changed", at(2, 13), lines("cancelled", {"B": 1})),
        shipped({"A": 2, "SAMPLE": 1}, at(3)),
    )
    assert timeline.status is Status.SHIPPED
    assert not any(LineFlag.NO_COUNTERPART in line.flags for line in timeline.lines)


def test_invoice_in_components_is_complete_when_it_bills_what_was_shipped() -> None:
    events = [sold({"KIT": 1}), released(COMPONENTS), shipped(COMPONENTS, at(3))]
    partial = folded(*events, invoiced({"BOLT": 4}, at(4)))
    assert OrderState.PARTIALLY_INVOICED in partial.states
    complete = folded(*events, invoiced(COMPONENTS, at(4)))
    assert OrderState.INVOICED in complete.states


def test_kit_is_partial_if_only_quantities_report_its_shipment() -> None:
    """No event of a shipment: the ERP repeats the shipped quantities of its own lines."""
    figures = reported("erp", "order.changed", at(3), lines("shipped", {"BOLT": 4}))
    timeline = folded(sold({"KIT": 1}), figures)
    assert timeline.status is Status.PARTIALLY_SHIPPED
    assert timeline.milestone_reached_at(MilestoneCode.SHIPPED) == at(3)


def test_order_of_arrival_does_not_matter() -> None:
    events = [
        sold({"KIT": 1, "A": 2}),
        released({"A": 2, **COMPONENTS}),
        shipped({"A": 2, "BOLT": 4}, at(3)),
        shipped({"PLATE": 1}, at(4), "S2"),
        reported("wms", "shipment.confirmed", at(4, 14)),
    ]
    expected = folded(*events)
    assert all(folded(*order) == expected for order in permutations(events))


def test_returned_components_return_the_order() -> None:
    timeline = folded(
        sold({"KIT": 1}),
        released(COMPONENTS),
        shipped(COMPONENTS, at(3)),
        reported("wms", "return.received", at(6), lines("returned", COMPONENTS)),
    )
    assert timeline.status is Status.RETURNED
    assert line_of(timeline, "BOLT").quantity(Measure.RETURNED) == 4


def test_kit_that_the_erp_reports_as_not_shipped_yet_still_has_no_counterpart() -> None:
    erp_lines = (line("KIT", ordered=1, shipped=0),)
    timeline = folded(
        reported("erp", "order.received", at(2), erp_lines),
        released(COMPONENTS),
        shipped(COMPONENTS, at(3)),
    )
    assert timeline.status is Status.SHIPPED
    assert line_of(timeline, "KIT").flags == NO_COUNTERPART
    posted = folded(
        reported("erp", "order.received", at(2), erp_lines),
        shipped(COMPONENTS, at(3)),
        reported("erp", "order.changed", at(4), [line("KIT", ordered=1, shipped=1)]),
    )
    assert posted.status is Status.SHIPPED
    assert line_of(posted, "KIT").flags == ()


def test_voided_shipment_of_components_leaves_the_order_open() -> None:
    events = [sold({"KIT": 1}), released(COMPONENTS), shipped(COMPONENTS, at(3))]
    timeline = folded(*events, reported("wms", "shipment.void", at(4), shipment="S1"))
    assert timeline.status is Status.RELEASED
    assert not timeline.milestone_reached_at(MilestoneCode.SHIPPED)


def test_order_reopens_when_the_warehouse_works_on_its_line_after_all() -> None:
    events = [sold({"KIT": 1, "A": 2}), released({"A": 2, "SAMPLE": 1})]
    events += [shipped({"A": 2, "SAMPLE": 1}, at(3))]
    assert folded(*events).status is Status.SHIPPED
    allocated = reported("wms", "line.allocated", at(4), lines("allocated", {"KIT": 1}))
    timeline = folded(*events, allocated)
    assert timeline.status is Status.PARTIALLY_SHIPPED
    assert timeline.milestone_completed_at(MilestoneCode.SHIPPED) is None
