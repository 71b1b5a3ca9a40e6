"""The serializer base class, custom fields, and the serializers shared by several endpoints."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors.sdk.event_codec import format_decimal, format_rfc3339
from visibility.alerts.snooze_ends import SnoozeEnd
from visibility.db.database_time import database_now
from visibility.models import (
    Alert,
    AlertClosingReason,
    AlertKind,
    AlertState,
    MessageState,
    Severity,
)
from visibility.screens.sources.role_and_state_labels import SourceState
from visibility.sla.load_enabled_rules import rule_kind_codes_not_about_orders
from visibility.sla.rule import RuleSubject
from visibility.sla.silence_limits import SilenceLimitOrigin
from visibility.web.permissions import Permission

DECIMAL_SCHEMA: dict[str, Any] = {"type": "string", "format": "decimal"}


class PermissionFilteredSerializer(serializers.Serializer[Any]):
    """Base of the response serializers.

    `restricted_fields` maps a field to the permission without which it is absent.
    """

    restricted_fields: ClassVar[Mapping[str, Permission]] = {}

    def __init_subclass__(cls) -> None:
        set_override(cls, "component_name", cls.__name__.removesuffix("Serializer"))

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """The object without the fields that `context["permissions"]` does not cover."""
        values = super().to_representation(instance)
        permissions = self.context["permissions"] if self.restricted_fields else frozenset()
        return {
            name: value
            for name, value in values.items()
            if name not in self.restricted_fields or self.restricted_fields[name] in permissions
        }


def serialize(
    serializer_class: type[PermissionFilteredSerializer],
    instance: Any,
    *,
    permissions: Iterable[Permission] = frozenset(),
) -> dict[str, Any]:
    """Serialize one object for a user with these permissions."""
    return dict(serializer_class(instance, context={"permissions": frozenset(permissions)}).data)


def serialize_all(
    serializer_class: type[PermissionFilteredSerializer],
    instances: Iterable[Any],
    *,
    permissions: Iterable[Permission] = frozenset(),
) -> list[dict[str, Any]]:
    """Serialize several objects for a user with these permissions."""
    serializer = serializer_class(context={"permissions": frozenset(permissions)})
    return [serializer.to_representation(instance) for instance in instances]


class Rfc3339Field(serializers.DateTimeField):
    """An RFC 3339 time in UTC."""

    def to_representation(self, value: Any) -> str:
        """Always with microseconds, so that the texts sort like the times."""
        return format_rfc3339(value)


class EnumField(serializers.CharField):
    """A text from a fixed list of values."""

    def __init__(self, values: Iterable[object], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        allowed: list[str | None] = [str(getattr(value, "value", value)) for value in values]
        if self.allow_null:
            allowed.append(None)
        set_override(self, "field", {"type": "string", "enum": allowed})


@extend_schema_field(DECIMAL_SCHEMA)
class DecimalTextField(serializers.Field[Any, Any, Any, Any]):
    """A decimal number as text, without exponent or trailing zeros."""

    def to_representation(self, value: Decimal) -> str:
        """The number as text, such as `12.5`."""
        return format_decimal(value)


@extend_schema_field(
    {
        "type": "object",
        "properties": {"amount": DECIMAL_SCHEMA, "currency": {"type": "string"}},
        "required": ["amount", "currency"],
    }
)
class MoneyField(serializers.Field[Any, Any, Any, Any]):
    """An amount with its currency. `amount` and `currency` name the source attributes."""

    def __init__(self, amount: str, currency: str = "currency", **kwargs: Any) -> None:
        super().__init__(source="*", **kwargs)
        self.attribute_names = (amount, currency)

    def to_representation(self, value: Any) -> dict[str, str] | None:
        """The amount with its currency, or None if the amount is unknown."""
        amount, currency = (getattr(value, name) for name in self.attribute_names)
        return None if amount is None else {"amount": format_decimal(amount), "currency": currency}


@extend_schema_field({"type": "string"})
class AlertTitleField(serializers.Field[Any, Any, Any, Any]):
    """The title of an alert with its age at the time of the request."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="*", **kwargs)
        self._now: datetime | None = None

    def to_representation(self, value: Any) -> str:
        """The title; all alerts of a response are as of the same time."""
        if not value.title_template:
            return str(value.title)
        if self._now is None:
            self._now = database_now()
        return str(value.title_with_age(self._now))


class UserSerializer(PermissionFilteredSerializer):
    """A user."""

    id = serializers.IntegerField()
    name = serializers.CharField(source="get_username")


class AlertRuleSerializer(PermissionFilteredSerializer):
    """The SLA rule of an alert."""

    code = serializers.CharField()
    title = serializers.CharField()


class AlertOrderSerializer(PermissionFilteredSerializer):
    """The order of an alert."""

    id = serializers.IntegerField()
    number = serializers.CharField(source="order.number", default="")


class AlertSerializer(PermissionFilteredSerializer):
    """A breach of an SLA rule by an order or a source, or a rule that fails."""

    restricted_fields = {"money_at_risk": Permission.PRICES}
    # Relations to load with select_related.
    related_fields: ClassVar[tuple[str, ...]] = (
        "rule",
        "order__order",
        "source",
        "owner",
        "acknowledged_by",
    )

    id = serializers.IntegerField()
    state = EnumField(AlertState)
    severity = EnumField(Severity)
    title = AlertTitleField()
    rule = AlertRuleSerializer(allow_null=True)
    order = AlertOrderSerializer(allow_null=True)
    source = serializers.CharField(source="source.slug", default=None, allow_null=True)  # type: ignore[assignment]  # not DRF's `source`
    kind = EnumField(
        [
            *(AlertKind.SLA, AlertKind.RULE_FAILED, AlertKind.CHANNEL_FAILED),
            *rule_kind_codes_not_about_orders(),
        ]
    )
    subject_kind = EnumField(RuleSubject, source="subject")
    subject_key = serializers.CharField()
    episode = serializers.IntegerField()
    team = serializers.CharField()
    owner = UserSerializer(allow_null=True)
    money_at_risk = MoneyField("money", required=False, allow_null=True)
    started_at = Rfc3339Field()
    due_at = Rfc3339Field()
    opened_at = Rfc3339Field()
    acknowledged_at = Rfc3339Field(allow_null=True)
    acknowledged_by = UserSerializer(allow_null=True)
    snoozed_until = Rfc3339Field(allow_null=True)
    # What ends the snooze; empty: the time. It ends at `snoozed_until` at the latest.
    snooze_end = serializers.SerializerMethodField()
    resolved_at = Rfc3339Field(allow_null=True)
    resolution = serializers.CharField()
    # Empty while the alert is active, and on alerts that an older release closed.
    closing_reason = EnumField([*AlertClosingReason, ""])
    changed_at = Rfc3339Field()

    @extend_schema_field({"type": "string", "enum": ["", *(end.value for end in SnoozeEnd)]})
    def get_snooze_end(self, alert: Alert) -> str:
        """What ends the snooze, if the alert is snoozed."""
        is_snoozed = alert.state == AlertState.SNOOZED
        return str(alert.snooze_end.get("kind", "")) if is_snoozed else ""


class AlertHistorySerializer(PermissionFilteredSerializer):
    """An entry of an alert's history."""

    at = Rfc3339Field()
    action = serializers.CharField()
    user = UserSerializer(allow_null=True)
    text = serializers.CharField()


class MessageSerializer(PermissionFilteredSerializer):
    """A message and its outcome, without its content."""

    id = serializers.CharField()
    source = serializers.CharField(source="slug")  # type: ignore[assignment]  # not DRF's `source`
    received_at = Rfc3339Field()
    state = EnumField(MessageState)
    reason = serializers.CharField()
    detail = serializers.CharField()
    attempts = serializers.IntegerField()
    processed_at = Rfc3339Field(allow_null=True)
    event_types = serializers.ListField(child=serializers.CharField(), source="types")


class EventTypeSilenceLimitSerializer(PermissionFilteredSerializer):
    """An event type with a silence limit of its own. `since`: when the last such event came."""

    event_type = serializers.CharField()
    limit_seconds = serializers.SerializerMethodField()
    since = Rfc3339Field()

    @extend_schema_field({"type": "number"})
    def get_limit_seconds(self, watched: Any) -> float:
        """After how long without such an event the source counts as silent."""
        return float(watched.limit.total_seconds())


class SourceSerializer(PermissionFilteredSerializer):
    """A source and the health of its feed, without its secrets."""

    slug = serializers.CharField(source="source.slug")
    title = serializers.CharField(source="source.title")
    system = serializers.CharField()
    role = serializers.CharField(source="source.role")
    owner = serializers.CharField(source="source.owner_label")
    enabled = serializers.BooleanField(source="source.enabled")
    archived_at = Rfc3339Field(source="source.archived_at", allow_null=True)
    state = serializers.SerializerMethodField()
    reason = serializers.CharField(source="explanation")
    failing_since = Rfc3339Field(source="source.failing_since", allow_null=True)
    recovered_at = Rfc3339Field(source="source.recovered_at", allow_null=True)
    throttled_until = Rfc3339Field(source="source.throttled_until", allow_null=True)
    catching_up_since = Rfc3339Field(source="source.catching_up_since", allow_null=True)
    maintenance_until = Rfc3339Field(allow_null=True)
    last_message_at = Rfc3339Field(source="last_at", allow_null=True)
    expected_by = Rfc3339Field(source="expected_at", allow_null=True)
    silence_limit_seconds = serializers.SerializerMethodField()
    silence_limit_origin = EnumField(
        [origin.name.lower() for origin in SilenceLimitOrigin], source="silence_limit.origin_code"
    )
    event_type_silence_limits = EventTypeSilenceLimitSerializer(
        many=True, source="event_type_limits"
    )
    messages_last_hour = serializers.IntegerField(source="last_hour")
    messages_last_day = serializers.IntegerField(source="last_day")
    median_delay_seconds = serializers.SerializerMethodField()
    parked = serializers.IntegerField()
    parked_since = Rfc3339Field(allow_null=True)
    waiting = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected_last_day = serializers.IntegerField(source="rejected")

    @extend_schema_field({"type": "string", "enum": [state.name.lower() for state in SourceState]})
    def get_state(self, health: Any) -> str:
        """The stable state code; the label on the pages may change."""
        return str(health.state.name.lower())

    @extend_schema_field({"type": ["number", "null"]})
    def get_silence_limit_seconds(self, health: Any) -> float | None:
        """After how long without data the source is silent; null: never."""
        limit = health.silence_limit.limit
        return limit.total_seconds() if limit is not None else None

    @extend_schema_field({"type": ["number", "null"]})
    def get_median_delay_seconds(self, health: Any) -> float | None:
        """The median time between an event and its receipt, in seconds."""
        return health.delay.total_seconds() if health.delay is not None else None
