"""Reading the cells: sums, percentiles, what is left out, and the orders behind."""

import json
import math
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from plotly.graph_objects import Figure  # type: ignore[import-untyped]  # it ships no types
from pytest_django import DjangoAssertNumQueries

from visibility.db.clock import database_now
from visibility.kpi import aggregate, drilldown, query
from visibility.kpi.open_order_age import OpenAge, open_age
from visibility.kpi.query import Filters, Span
from visibility.kpi.registry import shelf
from visibility.models import BusinessObject, DirtyCell, KpiFact, Order
from visibility.screens.charts import Axis, Series, band, bars, columns, lines
from visibility.screens.kpis import labels

pytestmark = pytest.mark.django_db
FILL, CYCLE = shelf()["fill_rate"], shelf()["order_cycle_time"]
DAY = date(2026, 3, 3)
WEEK = Span(DAY, DAY + timedelta(days=6))
HERE = ZoneInfo(django_settings.TIME_ZONE)


def fact(
    numerator: float | None = 1,
    denominator: int | None = 1,
    *,
    day: date = DAY,
    excluded: str = "",
    kpi: str = "fill_rate",
    channel: str = "Web",
    warehouse: str = "Dallas",
    aside: dict[str, int] | None = None,
) -> KpiFact:
    thing = BusinessObject.objects.create(kind="order")
    return KpiFact.objects.create(
        order=thing,
        kpi=kpi,
        version=1,
        day=day,
        channel=channel,
        warehouse=warehouse,
        customer_group="",
        numerator=numerator,
        denominator=denominator,
        excluded=excluded,
        aside=aside or {},
    )


def sum_up() -> None:
    for kpi, day in set(KpiFact.objects.values_list("kpi", "day")):
        DirtyCell.objects.create(kpi=kpi, day=day)
    while aggregate.recompute():
        continue


def test_a_share_is_the_sum_of_numerators_over_the_sum_of_denominators() -> None:
    fact(1, 2)
    fact(8, 8, day=DAY + timedelta(days=1))
    sum_up()
    found = query.summary(FILL, WEEK)
    assert (found.value, found.orders) == (Decimal("0.9"), 2)
    assert (int(found.numerator), int(found.denominator)) == (9, 10)


def test_nothing_counted_is_no_value_and_not_zero() -> None:
    fact(None, None, excluded="no_lines")
    sum_up()
    found = query.summary(FILL, WEEK)
    assert (found.value, found.orders, found.excluded) == (None, 0, {"no_lines": 1})
    assert labels.figure(FILL, found.headline(FILL)) == "\u2013"
    assert query.summary(FILL, WEEK.before()).value is None


def test_the_median_of_a_span_is_that_of_its_orders_not_of_its_days() -> None:
    for hours in (1, 2, 3):
        fact(hours * 3600, 1, kpi="order_cycle_time")
    fact(100 * 3600, 1, kpi="order_cycle_time", day=DAY + timedelta(days=1))
    sum_up()
    found = query.summary(CYCLE, WEEK)
    assert found.median == pytest.approx(2 * 3600, rel=0.005)
    assert found.p90 == pytest.approx(100 * 3600, rel=0.005)


@given(
    st.lists(st.integers(0, 90 * 86_400), min_size=1, max_size=40),
    st.lists(st.integers(0, 4), min_size=40, max_size=40),
)
@settings(max_examples=30, deadline=None)
def test_a_percentile_of_a_span_is_within_half_a_percent(took: list[int], on: list[int]) -> None:
    with transaction.atomic():
        for seconds, day in zip(took, on, strict=False):
            fact(seconds, 1, kpi="order_cycle_time", day=DAY + timedelta(days=day))
        sum_up()
        found = query.summary(CYCLE, WEEK)
        transaction.set_rollback(True)
    ranked = [max(seconds, 1) for seconds in sorted(took)]
    for said, share in ((found.median, 0.5), (found.p90, 0.9)):
        # The smallest value that so many of the orders do not exceed.
        assert said == pytest.approx(ranked[math.ceil(len(ranked) * share) - 1], rel=0.0051)


def test_filters_narrow_and_unknown_is_a_value_of_its_own() -> None:
    fact(1, 1, channel="Web")
    fact(0, 1, channel="")
    sum_up()
    assert query.summary(FILL, WEEK, Filters(channel="Web")).value == 1
    assert query.summary(FILL, WEEK, Filters(channel="")).value == 0
    assert query.summary(FILL, WEEK, Filters(channel="Mail")).value is None
    both = Filters(channel="Web", warehouse="Dallas")
    assert query.summary(FILL, WEEK, both).value == 1
    assert [row.names for row in query.breakdown(FILL, WEEK, ["warehouse"], both)] == [("Dallas",)]
    assert query.choices(WEEK) == {
        "channel": ["", "Web"],
        "warehouse": ["Dallas"],
        "customer_group": [""],
    }


def test_slices_and_days_add_up_to_the_whole() -> None:
    for place in range(12):
        fact(
            place % 3,
            2,
            day=DAY + timedelta(days=place % 5),
            channel="AB"[place % 2],
            warehouse="XYZ"[place % 3],
        )
    sum_up()
    whole = query.summary(FILL, WEEK)
    for slices in (
        [row.summary for row in query.breakdown(FILL, WEEK, ("channel", "warehouse"))],
        [found for _, found in query.daily([FILL], WEEK)["fill_rate"]],
        [found for _, _, found in query.by_week(FILL, WEEK, "warehouse")],
    ):
        assert sum(found.orders for found in slices) == whole.orders
        assert sum(found.numerator for found in slices) == whole.numerator


def test_the_orders_behind_are_the_number() -> None:
    for place in range(7):
        fact(place % 3, 2)
    fact(None, None, excluded="no_lines")
    sum_up()
    whole = query.summary(FILL, WEEK)
    parts, reasons = drilldown.tallies(FILL, WEEK, Filters())
    assert parts["missed"].orders + parts["counted"].orders == whole.orders
    assert parts["missed"].numerator + parts["counted"].numerator == whole.numerator
    assert reasons == whole.excluded
    for part in drilldown.PARTS:
        assert len(drilldown.orders(FILL, WEEK, Filters(), part=part)) == parts[part].orders


def test_the_orders_with_lines_set_aside_are_those_of_the_sum() -> None:
    fact(1, 2, aside={"unit": 2})
    fact(2, 2, aside={"unit": 1, "unknown_sku": 1})
    fact(2, 2)
    fact(None, None, excluded="unit", aside={"unit": 9})
    sum_up()
    assert query.summary(FILL, WEEK).aside == {"unit": 3, "unknown_sku": 1}
    assert drilldown.set_aside(FILL, WEEK, Filters()) == 2
    for reason, expected in (("", 2), ("unit", 2), ("unknown_sku", 1), ("nothing", 0)):
        rows = drilldown.orders(FILL, WEEK, Filters(), part="aside", reason=reason)
        assert len(rows) == expected, reason
    parts, _ = drilldown.tallies(FILL, WEEK, Filters())
    assert sum(part.orders for part in parts.values()) == 4


def test_pages_of_orders_meet_without_gap_or_overlap() -> None:
    for place in range(drilldown.PAGE + 5):
        fact(0, 1, day=DAY + timedelta(days=place % 2))
    first = drilldown.orders(FILL, WEEK, Filters(), part="missed")
    assert len(first) == drilldown.PAGE + 1
    after = first[drilldown.PAGE - 1].place
    rest = drilldown.orders(FILL, WEEK, Filters(), part="missed", after=after)
    seen = [row.order_id for row in [*first[: drilldown.PAGE], *rest]]
    assert len(seen) == len(set(seen)) == drilldown.PAGE + 5


@pytest.mark.parametrize("after", ["x", "2026-03-03", "~", "2026-99-99~1", "2026-03-03~x"])
def test_an_unreadable_place_is_the_first_page(after: str) -> None:
    fact(0, 1)
    assert len(drilldown.orders(FILL, WEEK, Filters(), part="missed", after=after)) == 1


def test_a_duration_is_missed_over_its_target() -> None:
    fact(2 * 86_400, 1, kpi="order_cycle_time")
    fact(4 * 86_400, 1, kpi="order_cycle_time")
    parts, _ = drilldown.tallies(CYCLE, WEEK, Filters())
    assert (parts["counted"].orders, parts["missed"].orders) == (1, 1)


def test_classes_hold_every_order_and_the_last_takes_the_slow_ones() -> None:
    for hours in (0.5, 1.5, 1.7, 90):
        fact(hours * 3600, 1, kpi="order_cycle_time")
    sum_up()
    assert query.classes(CYCLE, WEEK, width=3600, count=4) == [1, 2, 0, 1]


def waiting(days: float, *, channel: str = "Web") -> Order:
    """An order that came in so many days ago and was not delivered yet, counted as such."""
    at = database_now() - timedelta(days=days)
    counted = fact(kpi="undelivered", channel=channel, day=at.astimezone(HERE).date())
    return Order.objects.create(
        object=counted.order, number="x", status="released", ordered_at=at, channel=channel
    )


def test_open_orders_are_told_by_age() -> None:
    for days in (8, 3, 1, 1.02, 3.02, 9):
        waiting(days, channel="EDI" if days > 3 else "Web")
    sum_up()
    now = database_now()
    found = open_age(now)
    assert found.orders == 6
    assert (_days(found.median), _days(found.oldest)) == (3, 9)
    theirs = open_age(now, Filters(channel="EDI"))
    assert theirs.orders == 3
    assert (_days(theirs.median), _days(theirs.oldest)) == (8, 9)
    assert open_age(now, Filters(channel="Fax")) == OpenAge(0, None, None)


def test_cells_that_are_behind_still_tell_an_age() -> None:
    first, second = waiting(2), waiting(2)
    sum_up()
    first.delete()
    found = open_age(database_now())
    assert (found.orders, _days(found.oldest)) == (2, 2)
    second.delete()
    found = open_age(database_now())
    assert found.oldest is not None
    assert timedelta(days=2) <= found.oldest < timedelta(days=3, hours=1)


def _days(found: timedelta | None) -> float | None:
    """To a quarter of an hour."""
    return None if found is None else round(found / timedelta(days=1), 2)


def test_all_numbers_of_a_span_take_two_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(2):
        query.summaries(shelf().values(), WEEK)


def test_change_says_better_or_worse_and_not_up_or_down() -> None:
    fact(3600, 1, kpi="order_cycle_time")
    fact(7200, 1, kpi="order_cycle_time", day=DAY - timedelta(days=1))
    sum_up()
    now, before = query.summary(CYCLE, WEEK), query.summary(CYCLE, WEEK.before())
    said = labels.change(CYCLE, now, before, days=7)
    assert said.text == "1.0\u00a0h better than the 7 days before (2.0\u00a0h)"
    assert said.tone == "ok"


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (77.3, "0.2\u00a0d above target, 3\u00a0d"),
        (66, "0.2\u00a0d below target, 3\u00a0d"),
        (72.5, "under 0.1\u00a0d above target, 3\u00a0d"),
        (72, "on target, 3\u00a0d"),
    ],
)
def test_a_distance_is_told_in_the_unit_of_its_target(hours: float, words: str) -> None:
    assert labels.distance(CYCLE, hours * 3600).text == words


def test_a_change_is_told_in_the_unit_of_what_changed() -> None:
    fact(80 * 3600, 1, kpi="order_cycle_time")
    fact(79 * 3600, 1, kpi="order_cycle_time", day=DAY - timedelta(days=1))
    sum_up()
    now, before = query.summary(CYCLE, WEEK), query.summary(CYCLE, WEEK.before())
    said = labels.change(CYCLE, now, before, days=7)
    assert said.text == "under 0.1\u00a0d worse than the 7 days before (3.3\u00a0d)"


def test_every_reason_a_kpi_gives_has_words() -> None:
    for kpi in shelf().values():
        assert kpi.definition
        assert all(kpi.reasons.values())
        assert labels.reason(kpi, "some_reason") == "some reason"


def test_names_from_outside_are_no_markup_in_a_figure() -> None:
    hostile = "<a href='javascript:alert(1)'>x</a>"
    series = [Series(hostile, [DAY], [0.5], [3]), Series("b", [DAY], [0.6], [40])]
    for figure in (lines(series, Axis(".1%")), bars([hostile], [0.5], [3], Axis(".1%"))):
        assert "<a href" not in str(figure)


def test_a_line_along_the_edge_is_drawn_whole_and_every_line_named_below_it() -> None:
    series = [
        Series(name, [DAY], [end], [40]) for name, end in (("a", 0.0), ("b", 0.99), ("c", 1.0))
    ]
    drawn = lines(series, Axis(".1%", most=1.005))
    assert [one["cliponaxis"] for one in drawn["data"]] == [False] * 3
    ends = {a["text"]: a["y"] for a in drawn["layout"]["annotations"] if a.get("name") == "end"}
    assert ends == pytest.approx({"a": 0.0, "b": 0.91, "c": 1.0})


def test_every_kind_of_figure_is_one_to_plotly() -> None:
    one, two = (Series(name, [DAY, DAY], [0.5, None], [3, 40]) for name in ("a", "b"))
    for figure in (
        lines([one], Axis(".1%", "%"), target=0.9),
        lines([one, two], Axis(".1%", most=1.005)),
        band(one, two, Axis(",.1f", " h"), target=4.0),
        bars(["a", "b"], [0.5, 0.6], [3, 40], Axis(".1%"), target=0.9),
        columns([0, 4, 8], ["0-4 h", "4-8 h", "above"], [1, 2, 3], Axis(",d")),
    ):
        read = json.loads(Figure(figure).to_json())  # it raises at a property it does not know
        assert read["data"] == figure["data"]
        assert {n: v for n, v in read["layout"].items() if n != "template"} == figure["layout"]


def test_a_line_of_few_orders_is_drawn_hollow() -> None:
    drawn = lines([Series("x", [DAY, DAY], [0.5, 0.5], [3, 300])], Axis(".1%"))
    assert drawn["data"][0]["marker"]["symbol"] == ["circle-open", "circle"]
