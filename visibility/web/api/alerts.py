"""The alert inbox: what stands, and what people do about it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.clock import database_now
from visibility.models import Alert, AlertState, Severity
from visibility.notify.broadcast import announce
from visibility.screens.alerts.inbox import visible
from visibility.web.api.alert_actions import RIGHTS, only, perform
from visibility.web.api.alert_serializers import BulkShape, OneAlertShape
from visibility.web.api.base import Call, allowed, person, sources_only
from visibility.web.api.idempotency import once
from visibility.web.api.pagination import PAGING, Pages, at, paged
from visibility.web.api.problems import Answer, Conflict, answer_of
from visibility.web.api.query_params import Parameter, asked, chosen, documented
from visibility.web.api.requests import (
    BIGGEST_ID,
    AssignBody,
    Body,
    BulkBody,
    NoteBody,
    ReasonBody,
    SnoozeBody,
    raw,
    read,
)
from visibility.web.api.serializers import AlertShape, HistoryShape, write, write_all
from visibility.web.permissions import Right

HISTORY = 200
LIST = (
    chosen("state", "Its state.", AlertState),
    chosen("severity", "How bad it is.", Severity),
    Parameter("rule", "The code of the promise."),
    Parameter("team", "The team whose it is."),
    *PAGING,
)
FILTERS = {"state": "state", "severity": "severity", "rule": "rule__code", "team": "team"}


class Alerts(Call):
    """`GET /alerts`."""

    rights = (Right.ALERTS_SEE,)

    @extend_schema(
        operation_id="alerts",
        parameters=documented(LIST),
        responses=paged("Alerts", AlertShape(many=True)),
    )
    def get(self, request: Request) -> Response:
        """Alerts, the latest deadline first."""
        given = asked(request, LIST)
        pages = Pages("alerts", given)
        alerts = visible(sources_only=sources_only(request)).select_related(*AlertShape.needs)
        alerts = alerts.filter(**{FILTERS[name]: given[name] for name in FILTERS if name in given})
        if after := pages.place:
            due = at(after[0])
            alerts = alerts.filter(Q(due_at__lt=due) | Q(pk__lt=after[1]), due_at__lte=due)
        rows = list(alerts.order_by("-due_at", "-pk")[: pages.size + 1])
        shown = rows[: pages.size]
        following = None
        if len(rows) > pages.size:
            following = pages.after(shown[-1].due_at.isoformat(), shown[-1].pk)
        written = write_all(AlertShape, shown, rights=allowed(request))
        return Response(pages.page(written, following))


class OneAlert(Call):
    """`GET /alerts/<id>`."""

    rights = (Right.ALERTS_SEE,)

    @extend_schema(operation_id="alert", responses=OneAlertShape)
    def get(self, request: Request, alert_id: int) -> Response:
        """One alert with its history, the latest first."""
        asked(request, ())
        alert = _alert(request, alert_id)
        entries = alert.entries.select_related("who").order_by("-at", "-pk")[:HISTORY]
        return Response(
            write(AlertShape, alert, rights=allowed(request))
            | {"history": write_all(HistoryShape, entries)}
        )


class Act(Call):
    """`POST /alerts/<id>/<act>`."""

    what: ClassVar[str]
    body: ClassVar[type[Body]]

    def answer(self, request: Request, alert_id: int) -> HttpResponse:
        """Do it once, and say how the alert stands now."""
        asked(request, ())
        body = raw(request)

        def do() -> Answer:
            fields = read(self.body, body)
            _alert(request, alert_id)
            with transaction.atomic():
                perform(self.what, alert_id, by=person(request), fields=fields, now=database_now())
                _tell()
            alert = _alert(request, alert_id)
            return Answer.of(write(AlertShape, alert, rights=allowed(request)))

        return once(request, body, do)


class Acknowledge(Act):
    """I am on it."""

    what, body, rights = "acknowledge", NoteBody, (RIGHTS["acknowledge"],)

    @extend_schema(operation_id="alert_acknowledge", request=NoteBody, responses=AlertShape)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Take notice of an alert; it becomes yours unless it is somebody's."""
        return self.answer(request, alert_id)


class Assign(Act):
    """It is theirs."""

    what, body, rights = "assign", AssignBody, (RIGHTS["assign"],)

    @extend_schema(operation_id="alert_assign", request=AssignBody, responses=AlertShape)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Give an alert to somebody who may act on it, or to nobody."""
        return self.answer(request, alert_id)


class Snooze(Act):
    """Not now."""

    what, body, rights = "snooze", SnoozeBody, (RIGHTS["snooze"],)

    @extend_schema(operation_id="alert_snooze", request=SnoozeBody, responses=AlertShape)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Put an alert out of sight until a moment at most 90 days ahead."""
        return self.answer(request, alert_id)


class Resolve(Act):
    """It is over."""

    what, body, rights = "resolve", ReasonBody, (RIGHTS["resolve"],)

    @extend_schema(operation_id="alert_resolve", request=ReasonBody, responses=AlertShape)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Close an alert with its cause; while the promise is still broken it opens again."""
        return self.answer(request, alert_id)


class Note(Act):
    """A word about it."""

    what, body, rights = "note", ReasonBody, (RIGHTS["note"],)

    @extend_schema(operation_id="alert_note", request=ReasonBody, responses=AlertShape)
    def post(self, request: Request, alert_id: int) -> HttpResponse:
        """Write something down in an alert's history."""
        return self.answer(request, alert_id)


class Bulk(Call):
    """`POST /alerts/bulk`."""

    rights = (Right.ALERTS_NOTE,)

    @extend_schema(
        operation_id="alerts_bulk", request=BulkBody, responses={200: BulkShape, 207: BulkShape}
    )
    def post(self, request: Request) -> HttpResponse:
        """One act on up to 200 alerts; 207 and a result for each where some were refused."""
        asked(request, ())
        body = raw(request)

        def do() -> Answer:
            fields = read(BulkBody, body)
            what = fields.pop("act")
            self.rights = (RIGHTS[what],)
            self.check_permissions(request)
            ids = list(dict.fromkeys(fields.pop("ids")))
            results = _each(what, ids, request, only(what, fields))
            status = 200 if all(one["status"] == 200 for one in results) else 207
            return Answer.of({"results": results}, status=status)

        return once(request, body, do)


def _each(
    what: str, ids: Sequence[int], request: Request, fields: Mapping[str, Any]
) -> list[dict[str, Any]]:
    now, results = database_now(), []
    with transaction.atomic():
        # All rows first and in one order: two such requests never wait for each other's.
        seen = visible(sources_only=sources_only(request)).filter(pk__in=ids).order_by("pk")
        known = {alert.pk for alert in seen.select_for_update(of=("self",))}
        for number in ids:
            try:
                if number not in known:
                    raise Http404
                with transaction.atomic():
                    alert = perform(what, number, by=person(request), fields=fields, now=now)
            except (Http404, Conflict) as refused:
                problem = answer_of(refused)
                detail = "This alert does not exist."
                detail = detail if problem.status == 404 else str(refused)
                results.append({"id": number, "status": problem.status, "detail": detail})
            else:
                results.append({"id": number, "status": 200, "state": str(alert.state)})
        if any(one["status"] == 200 for one in results):
            _tell()
    return results


def _tell() -> None:
    """Ring for the open pages once it is committed; a lost ring costs them two seconds."""
    transaction.on_commit(lambda: announce(0, ["alert"]), robust=True)


def _alert(request: Request, alert_id: int) -> Alert:
    """The alert, if it exists for these eyes."""
    alerts = visible(sources_only=sources_only(request)).select_related(*AlertShape.needs)
    alert = alerts.filter(pk=alert_id).first() if alert_id <= BIGGEST_ID else None
    if alert is None:
        raise Http404
    return alert
