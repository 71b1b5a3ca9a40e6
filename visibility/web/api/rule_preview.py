"""The endpoint that evaluates a rule before it is stored."""

import dataclasses

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.alerts.change_sla_rules import build_new_rule
from visibility.alerts.rule_values import InvalidRuleChange
from visibility.db.database_time import database_now
from visibility.screens.rules import queries
from visibility.screens.rules.precedence import load_precedence_sentences
from visibility.screens.rules.preview import preview_rule
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.request_body_serializers import parse_body, read_body
from visibility.web.api.rules import InvalidRuleInput, NewRuleBody
from visibility.web.permissions import Permission


class RuleSampleSerializer(PermissionFilteredSerializer):
    """An order that the rule would alert on."""

    order_id = serializers.IntegerField()
    number = serializers.CharField()
    subject = serializers.CharField(allow_blank=True)
    due_at = Rfc3339Field()


class RulePreviewSerializer(PermissionFilteredSerializer):
    """What a rule would do.

    `breaches`: missed deadlines of the last 28 days, of which the history has `days`. Orders that
    were not read in time are in `orders` and not in `orders_read`. `failure`: why it cannot run.
    """

    sentence = serializers.CharField()
    effect = serializers.ListField(child=serializers.CharField())
    precedence = serializers.ListField(child=serializers.CharField())
    open_now = serializers.IntegerField()
    running = serializers.IntegerField()
    breaches = serializers.IntegerField()
    days = serializers.IntegerField()
    # False for rules about sources, KPIs and alerts: they are evaluated only as of now.
    has_history = serializers.BooleanField()
    orders_read = serializers.IntegerField()
    orders = serializers.IntegerField()
    failure = serializers.CharField(allow_blank=True)
    samples = RuleSampleSerializer(many=True)


class RulePreviewView(ApiView):
    """`POST /rules/preview`."""

    required_permissions = (Permission.RULES_EDIT, Permission.ORDERS)

    @extend_schema(
        operation_id="rule_preview", request=NewRuleBody, responses=RulePreviewSerializer
    )
    def post(self, request: Request) -> Response:
        """Evaluate a rule on the stored orders for some seconds at most; nothing is stored."""
        values = parse_body(NewRuleBody, read_body(request))
        try:
            draft = build_new_rule(values)
        except InvalidRuleChange as error:
            raise InvalidRuleInput(error.errors) from error
        preview = preview_rule(draft, now=database_now())
        fields = {field.name: getattr(preview, field.name) for field in dataclasses.fields(preview)}
        content = {
            **fields,
            "sentence": queries.summarize_rule(draft).sentence,
            "effect": preview.sentences,
            "precedence": load_precedence_sentences(draft),
        }
        return Response(serialize(RulePreviewSerializer, content))
