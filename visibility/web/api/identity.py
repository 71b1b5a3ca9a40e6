"""Who is who: what people decided, orphans, likely joins; join, split, tell apart, undo."""

from collections.abc import Callable

from django.db import transaction
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.sdk.events import ObjectKind, Scheme
from visibility.db.clock import database_now
from visibility.identity import decisions, suggestions
from visibility.identity.merge import JoinTooLarge
from visibility.models import JoinAct
from visibility.notify.broadcast import announce
from visibility.pipeline import stages
from visibility.screens.identity import workbench
from visibility.web.api.base import Call, person
from visibility.web.api.idempotency import once
from visibility.web.api.pagination import PAGING, Pages, paged
from visibility.web.api.problems import Answer, Conflict
from visibility.web.api.query_params import asked, documented
from visibility.web.api.requests import BIGGEST_ID, Body, NoteBody, Nothing, raw, read
from visibility.web.api.serializers import Moment, PersonShape, Shape, Word, write, write_all
from visibility.web.permissions import Right

MOST_NUMBERS = 500


class SideShape(Shape):
    """One number of one side of a decision."""

    side = serializers.IntegerField(help_text="0: the left or the kept one, 1: the other.")
    kind = Word(ObjectKind)
    scheme = Word(Scheme)
    issuer = serializers.CharField()
    value = serializers.CharField()


class JoinShape(Shape):
    """A decision of a person about who is who."""

    id = serializers.IntegerField()
    verdict = Word(JoinAct.Verdict)
    left = serializers.CharField()
    right = serializers.CharField()
    note = serializers.CharField(source="why")
    made_at = Moment()
    made_by = PersonShape()
    undone_at = Moment(allow_null=True)
    undone_by = PersonShape(allow_null=True)


class OneJoinShape(JoinShape):
    """A decision with its numbers and the objects they name now."""

    numbers = SideShape(many=True)
    objects = serializers.ListField(child=serializers.IntegerField())


class OrphanShape(Shape):
    """Something that belongs to no order we know."""

    id = serializers.IntegerField()
    kind = Word(ObjectKind)
    since = Moment()
    events = serializers.IntegerField()
    sources = serializers.ListField(child=serializers.CharField())
    numbers = serializers.ListField(child=serializers.CharField(), source="names")
    probable_order = serializers.IntegerField(source="owner.pk", default=None, allow_null=True)
    why = serializers.CharField()


class SuggestionShape(Shape):
    """Two orders that may be one."""

    left = serializers.IntegerField(source="left.pk")
    right = serializers.IntegerField(source="right.pk")
    left_number = serializers.CharField(source="left.number")
    right_number = serializers.CharField(source="right.number")
    rule = serializers.CharField()
    evidence = serializers.CharField()
    confidence = serializers.FloatField(help_text="From 0 to 1.")


class SuggestionsShape(Shape):
    """The surest first."""

    items = SuggestionShape(many=True)


class PairBody(NoteBody):
    """The other of the two: an order, or for `join` something that belongs to the order."""

    other = serializers.IntegerField(min_value=1, max_value=BIGGEST_ID)


class NumberBody(Body):
    """A number as `identifiers` of the order tells it."""

    scheme = serializers.CharField(max_length=20)
    issuer = serializers.CharField(max_length=100, allow_blank=True)
    value = serializers.CharField(max_length=200)


class SplitBody(NoteBody):
    """The numbers that were never this order's."""

    numbers = serializers.ListField(child=NumberBody(), min_length=1, max_length=MOST_NUMBERS)


class Joins(Call):
    """`GET /joins`."""

    rights = (Right.JOINS_SEE,)

    @extend_schema(
        operation_id="joins",
        parameters=documented(PAGING),
        responses=paged("Joins", JoinShape(many=True)),
    )
    def get(self, request: Request) -> Response:
        """What people decided about who is who, the newest first."""
        pages = Pages("joins", asked(request, PAGING))
        after = pages.place
        rows = workbench.acts(before=after[0] if after else None, limit=pages.size + 1)
        shown = rows[: pages.size]
        following = pages.after(shown[-1].pk) if len(rows) > pages.size else None
        return Response(pages.page(write_all(JoinShape, shown), following))


class Orphans(Call):
    """`GET /joins/orphans`."""

    rights = (Right.JOINS_SEE,)

    @extend_schema(
        operation_id="joins_orphans",
        parameters=documented(PAGING),
        responses=paged("Orphans", OrphanShape(many=True)),
    )
    def get(self, request: Request) -> Response:
        """Shipments, packages, invoices and returns that no order claims, the oldest first."""
        pages = Pages("orphans", asked(request, PAGING))
        after = pages.place
        rows = workbench.orphans(after=after[0] if after else 0, limit=pages.size + 1)
        shown = rows[: pages.size]
        following = pages.after(shown[-1].id) if len(rows) > pages.size else None
        return Response(pages.page(write_all(OrphanShape, shown), following))


class Suggestions(Call):
    """`GET /joins/suggestions`."""

    rights = (Right.JOINS_SEE,)

    @extend_schema(operation_id="joins_suggestions", responses=SuggestionsShape)
    def get(self, request: Request) -> Response:
        """Orders that look like one, with the rule, the evidence and how sure it is."""
        asked(request, ())
        return Response({"items": write_all(SuggestionShape, suggestions.suggestions())})


class Deciding(Call):
    """A write: done once, answered with the decision."""

    rights = (Right.JOINS,)

    def decide(
        self, request: Request, deciding: Callable[[bytes], Callable[[], JoinAct]]
    ) -> HttpResponse:
        """`deciding` reads the body and gives the act."""
        asked(request, ())
        body = raw(request)

        def do() -> Answer:
            act = deciding(body)
            try:
                with transaction.atomic():
                    made = stages.decide(act)
                    transaction.on_commit(lambda: announce(0, ["order", "alert"]), robust=True)
            except decisions.Refused as refused:
                raise Conflict(str(refused)) from refused
            except JoinTooLarge:
                raise Conflict("More than 50 orders would become one.") from None
            shown = {"numbers": write_all(SideShape, made.numbers.order_by("pk"))}
            return Answer.of(write(JoinShape, made) | shown | {"objects": decisions.touched(made)})

        return once(request, body, do)


class Join(Deciding):
    """`POST /orders/<id>/join`."""

    @extend_schema(operation_id="order_join", request=PairBody, responses=OneJoinShape)
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Say that two orders are one, or that something belongs to an order."""

        def deciding(body: bytes) -> Callable[[], JoinAct]:
            fields = read(PairBody, body)
            known(order_id)
            by, now = person(request), database_now()
            return lambda: decisions.join(
                order_id, fields["other"], by=by, why=fields["note"], now=now
            )

        return self.decide(request, deciding)


class Distinct(Deciding):
    """`POST /orders/<id>/distinct`."""

    @extend_schema(operation_id="order_distinct", request=PairBody, responses=OneJoinShape)
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Say that two orders are not the same, however alike they look."""

        def deciding(body: bytes) -> Callable[[], JoinAct]:
            fields = read(PairBody, body)
            known(order_id)
            by, now = person(request), database_now()
            return lambda: decisions.tell_apart(
                order_id, fields["other"], by=by, why=fields["note"], now=now
            )

        return self.decide(request, deciding)


class Split(Deciding):
    """`POST /orders/<id>/split`."""

    @extend_schema(operation_id="order_split", request=SplitBody, responses=OneJoinShape)
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Give numbers that were never this order's to an order of their own."""

        def deciding(body: bytes) -> Callable[[], JoinAct]:
            fields = read(SplitBody, body)
            known(order_id)
            numbers = [(n["scheme"], n["issuer"], n["value"]) for n in fields["numbers"]]
            by, now = person(request), database_now()
            return lambda: decisions.split(order_id, numbers, by=by, why=fields["note"], now=now)

        return self.decide(request, deciding)


class Undo(Deciding):
    """`POST /joins/<id>/undo`."""

    @extend_schema(operation_id="join_undo", request=Nothing, responses=OneJoinShape)
    def post(self, request: Request, join_id: int) -> HttpResponse:
        """Take a decision back, as if it had never been."""

        def deciding(body: bytes) -> Callable[[], JoinAct]:
            read(Nothing, body)
            if join_id > BIGGEST_ID or not JoinAct.objects.filter(pk=join_id).exists():
                raise Http404
            by, now = person(request), database_now()
            return lambda: decisions.undo(join_id, by=by, now=now)

        return self.decide(request, deciding)


def known(order_id: int) -> None:
    """Raises Http404 where there is no such order."""
    if order_id > BIGGEST_ID or not workbench.is_order(order_id):
        raise Http404
