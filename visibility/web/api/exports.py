"""`GET /orders/export`: the event log of orders as a file for other tools."""

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request

from visibility.db.clock import database_now
from visibility.export.formats import KINDS, Format
from visibility.export.snapshot import MOST, Busy, Selection, TooMany
from visibility.screens.orders.order_list import Filters
from visibility.timeline.model import Status
from visibility.web.api.base import Call, person
from visibility.web.api.problems import Invalid
from visibility.web.api.query_params import Parameter, Wrong, asked, chosen, documented, moment
from visibility.web.downloads import download
from visibility.web.permissions import Right, may

MOST_NAMED = 100


class Later(exceptions.APIException):
    """As many exports as may run are running."""

    status_code = 503
    default_detail = "Other exports are being made: come again in a moment."
    wait = 5


def _ids(value: str) -> tuple[int, ...]:
    parts = value.split(",")
    if len(parts) > MOST_NAMED or not all(p.isascii() and p.isdecimal() for p in parts):
        raise Wrong(f"ids of orders, separated by commas, at most {MOST_NAMED}")
    return tuple(int(p) for p in parts if len(p) < 19)


ASKED = (
    chosen("format", f"{Format.OCEL_JSON.value} unless given.", Format),
    Parameter("order", "Only these: ids, separated by commas.", _ids),
    chosen("status", "Where they stand.", Status),
    Parameter("channel", "The channel they came by."),
    Parameter("warehouse", "The warehouse they leave."),
    Parameter("customer", "The customer's number, or name with the right to contacts."),
    Parameter("since", "Whose latest event happened then or later.", moment, kind="date-time"),
    Parameter("until", "Whose latest event happened before.", moment, kind="date-time"),
)
FILES = {
    (200, kind.media): OpenApiTypes.BINARY if format is Format.OCEL_SQLITE else OpenApiTypes.OBJECT
    for format, kind in KINDS.items()
}


class OrdersExport(Call):
    """`GET /orders/export`."""

    rights = (Right.ORDERS, Right.EXPORT)

    @extend_schema(operation_id="orders_export", parameters=documented(ASKED), responses=FILES)
    def get(self, request: Request) -> HttpResponseBase:
        """The event log of orders: OCEL 2.0 as JSON or SQLite, or EPCIS 2.0.

        Without prices and words about people for those who may not see them.
        """
        given = asked(request, ASKED)
        filters = Filters(
            statuses=tuple(given[name] for name in ("status",) if name in given),
            channel=given.get("channel", ""),
            warehouse=given.get("warehouse", ""),
            customer=given.get("customer", ""),
            by_name=may(request.user, Right.CONTACTS),
        )
        wanted = Selection(filters, given.get("order"), given.get("since"), given.get("until"))
        try:
            return download(
                wanted,
                format=Format(given.get("format", Format.OCEL_JSON)),
                by=person(request),
                asked={name: str(value) for name, value in given.items()},
                now=database_now(),
            )
        except TooMany:
            raise Invalid("", f"more than {MOST} orders: narrow the filters") from None
        except Busy:
            raise Later from None
