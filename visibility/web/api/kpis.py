"""The numbers: what each means, how it stands, and the orders behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.events import plain
from visibility.db.clock import database_now
from visibility.formatting import local
from visibility.kpi import drilldown, query
from visibility.kpi.kpi import Kpi, Unit
from visibility.kpi.query import DIMENSIONS, Dimension, Filters, Span, Summary
from visibility.kpi.registry import shelf
from visibility.web.api.base import Call, allowed
from visibility.web.api.pagination import PAGING, Pages, gathered, paged
from visibility.web.api.problems import Invalid
from visibility.web.api.query_params import Parameter, asked, day, documented
from visibility.web.api.serializers import Exact, Shape, Word, write_all
from visibility.web.permissions import Right

USUAL = timedelta(days=29)
LONGEST = timedelta(days=400)
# Slices of a breakdown that are told; the rest is counted.
MOST = 1_000
SPAN = (
    Parameter("from", "The first day; 30 days up to `to` unless given.", day, kind="date"),
    Parameter("to", "The last day; today unless given.", day, kind="date"),
)
FILTERS = tuple(
    Parameter(name, f"Only this {title.lower()}.") for name, title in DIMENSIONS.items()
)
BY = Parameter("by", "Also for each of these.", choices=(*DIMENSIONS, "day"))
PART = Parameter(
    "part",
    "Which orders; the missed ones unless given.",
    choices=(*drilldown.PARTS, drilldown.ASIDE),
)
REASON = Parameter("reason", "Only those excluded, or with lines set aside, for this reason.")
NUMBER = (*SPAN, BY, *FILTERS)
ORDERS = (*SPAN, PART, REASON, *FILTERS, *PAGING)


class KpiShape(Shape):
    """What a number means. `target` is a share of 0..1, or seconds."""

    code = serializers.CharField()
    title = serializers.CharField()
    unit = Word(Unit)
    version = serializers.IntegerField()
    definition = serializers.CharField()
    counted = serializers.CharField(help_text="What numerator and denominator count.")
    target = Exact(allow_null=True)
    higher_is_better = serializers.BooleanField()
    reasons = serializers.DictField(
        child=serializers.CharField(), help_text="Why an order may be excluded: code and phrase."
    )


class KpisShape(Shape):
    """Every number there is."""

    items = KpiShape(many=True)


class SummaryShape(Shape):
    """A number and what it stands on; `value` is null where nothing counts."""

    value = Exact(allow_null=True, help_text="Numerator / denominator: a share, or mean seconds.")
    numerator = Exact()
    denominator = Exact()
    orders = serializers.IntegerField()
    median_seconds = serializers.FloatField(allow_null=True)
    p90_seconds = serializers.FloatField(allow_null=True)


class CountedShape(SummaryShape):
    """The whole number, with what is not in it."""

    excluded = serializers.DictField(child=serializers.IntegerField())
    aside = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Lines of the counted orders that could not be counted, by the reason.",
    )


class SliceShape(SummaryShape):
    """The number of one slice."""

    name = serializers.CharField()


class NumberShape(Shape):
    """A number over a span of days."""

    kpi = serializers.CharField()
    version = serializers.IntegerField()
    unit = Word(Unit)
    since = serializers.DateField(source="from")
    number = CountedShape()
    by = Word(list(BY.choices), allow_null=True)
    slices = SliceShape(many=True)
    slices_left_out = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is no name that Python lets a class have."""
        fields = super().get_fields()
        fields.pop("since")
        return {"from": serializers.DateField(), "to": serializers.DateField()} | fields


class BehindShape(Shape):
    """An order and how it counts."""

    hidden = {"customer_name": Right.CONTACTS}

    id = serializers.IntegerField(source="order_id")
    number = serializers.CharField()
    customer_no = serializers.CharField()
    customer_name = serializers.CharField(required=False, help_text="With the right to contacts.")
    status = serializers.CharField()
    answer = serializers.CharField()
    day = serializers.DateField()
    channel = serializers.CharField()
    warehouse = serializers.CharField()
    numerator = Exact(allow_null=True)
    denominator = Exact(allow_null=True)
    excluded = serializers.CharField(help_text="The reason's code; empty where it counts.")
    aside = serializers.DictField(
        child=serializers.IntegerField(), help_text="Lines that could not be counted, by reason."
    )


class Kpis(Call):
    """`GET /kpis`."""

    rights = (Right.NUMBERS,)

    @extend_schema(operation_id="kpis", responses=KpisShape)
    def get(self, request: Request) -> Response:
        """The numbers and their definitions."""
        asked(request, ())
        return Response({"items": write_all(KpiShape, shelf().values())})


@dataclass(frozen=True, slots=True)
class Question:
    """A KPI over days, narrowed."""

    kpi: Kpi
    span: Span
    filters: Filters


class OneKpi(Call):
    """`GET /kpis/<code>`."""

    rights = (Right.NUMBERS,)

    @extend_schema(operation_id="kpi", parameters=documented(NUMBER), responses=NumberShape)
    def get(self, request: Request, code: str) -> Response:
        """A number with its numerator, its denominator, and what was excluded and why."""
        given = asked(request, NUMBER)
        question, by = _question(code, given), given.get(BY.name)
        whole = query.summary(question.kpi, question.span, question.filters)
        slices = _slices(question, by) if by else []
        return Response(
            {
                "kpi": code,
                "version": question.kpi.version,
                "unit": question.kpi.unit.value,
                "from": question.span.start.isoformat(),
                "to": question.span.end.isoformat(),
                "number": _figures(whole)
                | {"excluded": dict(whole.excluded), "aside": dict(whole.aside)},
                "by": by,
                "slices": [{"name": name} | _figures(one) for name, one in slices[:MOST]],
                "slices_left_out": max(len(slices) - MOST, 0),
            }
        )


class KpiOrders(Call):
    """`GET /kpis/<code>/orders`."""

    rights = (Right.NUMBERS, Right.ORDERS)

    @extend_schema(
        operation_id="kpi_orders",
        parameters=documented(ORDERS),
        responses=paged("OrdersBehind", BehindShape(many=True)),
    )
    def get(self, request: Request, code: str) -> Response:
        """The orders behind a number, the latest day first."""
        given = asked(request, ORDERS)
        question, pages = _question(code, given), Pages(f"kpi {code}", given)
        place = pages.place

        def fetch(after: str) -> list[drilldown.Behind]:
            return drilldown.orders(
                question.kpi,
                question.span,
                question.filters,
                part=given.get(PART.name, "missed"),
                reason=given.get(REASON.name, ""),
                after=after,
            )

        shown, following = gathered(
            fetch, chunk=drilldown.PAGE, after=place[0] if place else "", size=pages.size
        )
        written = write_all(BehindShape, shown, rights=allowed(request))
        return Response(pages.page(written, pages.after(following) if following else None))


def _question(code: str, given: Mapping[str, Any]) -> Question:
    """What is asked. Raises Http404, Invalid."""
    kpi = shelf().get(code)
    if kpi is None:
        raise Http404
    end = given.get("to") or local(database_now()).date()
    start = given.get("from") or end - USUAL
    if start > end:
        raise Invalid("from", "not after `to`")
    if end - start >= LONGEST:
        raise Invalid("from", f"at most {LONGEST.days} days up to `to`")
    return Question(kpi, Span(start, end), Filters(**{f: given.get(f) for f in DIMENSIONS}))


def _slices(question: Question, by: str) -> list[tuple[str, Summary]]:
    kpi, span, filters = question.kpi, question.span, question.filters
    if by == "day":
        days = query.daily([kpi], span, filters)[kpi.code]
        return [(one.isoformat(), summary) for one, summary in days]
    dimension: Dimension = next(name for name in DIMENSIONS if name == by)
    return [(one.names[0], one.summary) for one in query.breakdown(kpi, span, [dimension], filters)]


def _figures(summary: Summary) -> dict[str, Any]:
    value = summary.value
    return {
        "value": None if value is None else plain(round(value, 6)),
        "numerator": plain(Decimal(summary.numerator)),
        "denominator": plain(Decimal(summary.denominator)),
        "orders": summary.orders,
        "median_seconds": summary.median,
        "p90_seconds": summary.p90,
    }
