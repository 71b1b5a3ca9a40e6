"""Serializers of matching decisions, unmatched records and suggested duplicates."""

from rest_framework import serializers

from connectors.sdk.events import IdentifierScheme, ObjectKind
from visibility.models import IdentityDecision
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
)


class DecisionIdentifierSerializer(PermissionFilteredSerializer):
    """An identifier on one side of a decision."""

    side = serializers.IntegerField(help_text="0: the left or surviving side. 1: the other side.")
    kind = EnumField(ObjectKind)
    scheme = EnumField(IdentifierScheme)
    issuer = serializers.CharField()
    value = serializers.CharField()


class MatchingDecisionSerializer(PermissionFilteredSerializer):
    """A user's decision to join, split or keep apart records."""

    id = serializers.IntegerField()
    kind = EnumField(IdentityDecision.Verdict, source="verdict")
    left_label = serializers.CharField()
    right_label = serializers.CharField()
    note = serializers.CharField(source="reason")
    decided_at = Rfc3339Field()
    decided_by = UserSerializer()
    undone_at = Rfc3339Field(allow_null=True)
    undone_by = UserSerializer(allow_null=True)


class DecisionWithIdentifiersSerializer(MatchingDecisionSerializer):
    """A decision with its identifiers and the objects they identify now."""

    identifiers = DecisionIdentifierSerializer(many=True)
    objects = serializers.ListField(child=serializers.IntegerField())


class UnmatchedRecordSerializer(PermissionFilteredSerializer):
    """A shipment, package, invoice or return without an order."""

    id = serializers.IntegerField()
    kind = EnumField(ObjectKind)
    since = Rfc3339Field()
    events = serializers.IntegerField()
    sources = serializers.ListField(child=serializers.CharField())
    first_at = Rfc3339Field(allow_null=True, help_text="Of the earliest event.")
    identifiers = serializers.ListField(child=serializers.CharField(), source="names")
    items = serializers.ListField(child=serializers.CharField(), help_text="SKUs.")
    warehouse = serializers.CharField()
    location = serializers.CharField()
    carrier = serializers.CharField()
    likely_order = serializers.IntegerField(source="likely_order.pk", default=None, allow_null=True)
    reason = serializers.CharField()


class DuplicateSuggestionSerializer(PermissionFilteredSerializer):
    """Two orders that are probably duplicates."""

    left_order = serializers.IntegerField(source="left.pk")
    right_order = serializers.IntegerField(source="right.pk")
    left_number = serializers.CharField(source="left.number")
    right_number = serializers.CharField(source="right.number")
    rule = serializers.CharField()
    evidence = serializers.CharField()
    confidence = serializers.FloatField(help_text="From 0 to 1.")


class DuplicateSuggestionListSerializer(PermissionFilteredSerializer):
    """Suggestions, highest confidence first."""

    items = DuplicateSuggestionSerializer(many=True)
