"""Endpoints of record matching: manual decisions and suggested duplicates."""

from collections.abc import Callable

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.identity import decisions, duplicate_order_suggestions
from visibility.identity.record_merges_and_move_alerts import MergeTooLarge
from visibility.models import IdentityDecision
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.pipeline import refold_orders
from visibility.screens.identity import (
    comparisons_and_previews,
    decisions_and_automatic_merges,
)
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    serialize,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.matching_serializers import (
    DecisionIdentifierSerializer,
    DecisionWithIdentifiersSerializer,
    DuplicateSuggestionListSerializer,
    DuplicateSuggestionSerializer,
    MatchingDecisionSerializer,
)
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.problem_responses import ApiResponse, ConflictError
from visibility.web.api.request_body_serializers import (
    MAX_ID,
    EmptyBody,
    OptionalNoteBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission

MAX_IDENTIFIERS = 500


class OtherRecordBody(OptionalNoteBody):
    """The other record: an order, or for `join` also a shipment, package, invoice or return."""

    other = serializers.IntegerField(min_value=1, max_value=MAX_ID)


class IdentifierBody(RequestBody):
    """An identifier, as in the `identifiers` list of the order."""

    scheme = serializers.CharField(max_length=20)
    issuer = serializers.CharField(max_length=100, allow_blank=True)
    value = serializers.CharField(max_length=200)


class SplitBody(OptionalNoteBody):
    """The identifiers to move to a new order."""

    identifiers = serializers.ListField(
        child=IdentifierBody(), min_length=1, max_length=MAX_IDENTIFIERS
    )


@extend_schema_view(get=extend_schema(operation_id="matching_decisions"))
class MatchingDecisionListView(ApiListView):
    """List manual matching decisions, newest first."""

    required_permissions = (Permission.MATCHING_SEE,)
    query_parameters = PAGING
    serializer_class = MatchingDecisionSerializer

    def get_queryset(self) -> QuerySet[IdentityDecision]:
        """All decisions with their users."""
        return decisions_and_automatic_merges.manual_decisions()


class DuplicateSuggestionListView(ApiView):
    """`GET /matching/suggestions`."""

    required_permissions = (Permission.MATCHING_SEE,)

    @extend_schema(operation_id="matching_suggestions", responses=DuplicateSuggestionListSerializer)
    def get(self, request: Request) -> Response:
        """List probable duplicate orders with the rule, the evidence and the confidence."""
        return Response(
            {
                "items": serialize_all(
                    DuplicateSuggestionSerializer, duplicate_order_suggestions.find_suggestions()
                )
            }
        )


class BaseMatchingDecisionView(ApiView):
    """Base of the endpoints that record a matching decision and return it."""

    required_permissions = (Permission.MATCHING_EDIT,)

    def run_matching_decision(
        self, request: Request, prepare: Callable[[bytes], Callable[[], IdentityDecision]]
    ) -> HttpResponse:
        """Apply the decision. `deciding` parses the body and returns the function to run."""
        body = read_body(request)

        def do() -> ApiResponse:
            decision_function = prepare(body)
            try:
                with transaction.atomic():
                    decision = refold_orders.apply_identity_decision_and_refold(decision_function)
                    transaction.on_commit(
                        lambda: broadcast_change_number(0, ["order", "alert"]), robust=True
                    )
            except decisions.DecisionRejected as refused:
                raise ConflictError(str(refused)) from refused
            except MergeTooLarge:
                raise ConflictError("This would merge more than 50 orders.") from None
            shown = {
                "identifiers": serialize_all(
                    DecisionIdentifierSerializer, decision.identifiers.order_by("pk")
                )
            }
            return ApiResponse.with_json_body(
                serialize(MatchingDecisionSerializer, decision)
                | shown
                | {"objects": decisions.object_ids_named_by_decision(decision)}
            )

        return run_idempotently(request, body, do)


class MergeOrderOrAttachRecordView(BaseMatchingDecisionView):
    """`POST /orders/<id>/join`."""

    @extend_schema(
        operation_id="order_join",
        request=OtherRecordBody,
        responses=DecisionWithIdentifiersSerializer,
    )
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Merge two orders, or attach a shipment, package, invoice or return to an order."""

        def deciding(body: bytes) -> Callable[[], IdentityDecision]:
            fields = parse_body(OtherRecordBody, body)
            require_order_exists(order_id)
            by, now = current_user(request), database_now()
            return lambda: decisions.merge_or_attach_objects(
                order_id, fields["other"], by=by, reason=fields["note"], now=now
            )

        return self.run_matching_decision(request, deciding)


class MarkOrdersDistinctView(BaseMatchingDecisionView):
    """`POST /orders/<id>/distinct`."""

    @extend_schema(
        operation_id="order_distinct",
        request=OtherRecordBody,
        responses=DecisionWithIdentifiersSerializer,
    )
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Mark two orders as different, so that they are never merged."""

        def deciding(body: bytes) -> Callable[[], IdentityDecision]:
            fields = parse_body(OtherRecordBody, body)
            require_order_exists(order_id)
            by, now = current_user(request), database_now()
            return lambda: decisions.decide_objects_are_distinct(
                order_id, fields["other"], by=by, reason=fields["note"], now=now
            )

        return self.run_matching_decision(request, deciding)


class SplitOrderView(BaseMatchingDecisionView):
    """`POST /orders/<id>/split`."""

    @extend_schema(
        operation_id="order_split", request=SplitBody, responses=DecisionWithIdentifiersSerializer
    )
    def post(self, request: Request, order_id: int) -> HttpResponse:
        """Move identifiers that do not belong to this order to a new order."""

        def deciding(body: bytes) -> Callable[[], IdentityDecision]:
            fields = parse_body(SplitBody, body)
            require_order_exists(order_id)
            identifiers = [(n["scheme"], n["issuer"], n["value"]) for n in fields["identifiers"]]
            by, now = current_user(request), database_now()
            return lambda: decisions.split_order(
                order_id, identifiers, by=by, reason=fields["note"], now=now
            )

        return self.run_matching_decision(request, deciding)


class UndoDecisionView(BaseMatchingDecisionView):
    """`POST /matching/decisions/<id>/undo`."""

    @extend_schema(
        operation_id="matching_decision_undo",
        request=EmptyBody,
        responses=DecisionWithIdentifiersSerializer,
    )
    def post(self, request: Request, decision_id: int) -> HttpResponse:
        """Undo a decision and restore the records as if it had never been made."""

        def deciding(body: bytes) -> Callable[[], IdentityDecision]:
            parse_body(EmptyBody, body)
            if decision_id > MAX_ID or not IdentityDecision.objects.filter(pk=decision_id).exists():
                raise Http404
            by, now = current_user(request), database_now()
            return lambda: decisions.undo_decision(decision_id, by=by, now=now)

        return self.run_matching_decision(request, deciding)


def require_order_exists(order_id: int) -> None:
    """Raises Http404 if there is no such order."""
    if order_id > MAX_ID or not comparisons_and_previews.is_order(order_id):
        raise Http404
