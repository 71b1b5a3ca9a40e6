"""The shapes of the answers: what is written, and what the OpenAPI document says of it."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors.sdk.events import iso, plain
from visibility.models import AlertState, MessageState, Severity
from visibility.screens.sources.labels import State
from visibility.web.permissions import Right

EXACT: dict[str, Any] = {"type": "string", "format": "decimal"}


class Shape(serializers.Serializer[Any]):
    """An object of an answer. `hidden`: fields that are absent without a right."""

    hidden: ClassVar[Mapping[str, Right]] = {}

    def __init_subclass__(cls) -> None:
        set_override(cls, "component_name", cls.__name__.removesuffix("Shape"))

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """The object, for somebody with `context["rights"]`."""
        written = super().to_representation(instance)
        rights = self.context["rights"] if self.hidden else frozenset()
        return {
            name: value
            for name, value in written.items()
            if name not in self.hidden or self.hidden[name] in rights
        }


def write(
    shape: type[Shape], instance: Any, *, rights: Iterable[Right] = frozenset()
) -> dict[str, Any]:
    """One object as plain values."""
    return dict(shape(instance, context={"rights": frozenset(rights)}).data)


def write_all(
    shape: type[Shape], instances: Iterable[Any], *, rights: Iterable[Right] = frozenset()
) -> list[dict[str, Any]]:
    """Several objects as plain values."""
    one = shape(context={"rights": frozenset(rights)})
    return [one.to_representation(instance) for instance in instances]


class Moment(serializers.DateTimeField):
    """RFC 3339, UTC."""

    def to_representation(self, value: Any) -> str:
        """Always with microseconds, so that texts sort as times do."""
        return iso(value)


class Word(serializers.CharField):
    """One of the words of a list."""

    def __init__(self, words: Iterable[object], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        known: list[str | None] = [str(getattr(word, "value", word)) for word in words]
        if self.allow_null:
            known.append(None)
        set_override(self, "field", {"type": "string", "enum": known})


@extend_schema_field(EXACT)
class Exact(serializers.Field[Any, Any, Any, Any]):
    """A decimal as text, without exponent or trailing zeros."""

    def to_representation(self, value: Decimal) -> str:
        """`12.5`."""
        return plain(value)


@extend_schema_field(
    {
        "type": "object",
        "properties": {"amount": EXACT, "currency": {"type": "string"}},
        "required": ["amount", "currency"],
    }
)
class Money(serializers.Field[Any, Any, Any, Any]):
    """An amount with its currency; `amount` and `currency` name the attributes they are in."""

    def __init__(self, amount: str, currency: str = "currency", **kwargs: Any) -> None:
        super().__init__(source="*", **kwargs)
        self.names = (amount, currency)

    def to_representation(self, value: Any) -> dict[str, str] | None:
        """Null where no amount is known."""
        amount, currency = (getattr(value, name) for name in self.names)
        return None if amount is None else {"amount": plain(amount), "currency": currency}


class PersonShape(Shape):
    """Somebody who works here."""

    id = serializers.IntegerField()
    name = serializers.CharField(source="get_username")


class AlertRuleShape(Shape):
    """The promise that an alert is about."""

    code = serializers.CharField()
    title = serializers.CharField()


class AlertOrderShape(Shape):
    """The order that an alert is about."""

    id = serializers.IntegerField()
    number = serializers.CharField(source="order.number", default="")


class AlertShape(Shape):
    """A breach of a promise, or a silent source."""

    hidden = {"money_at_risk": Right.PRICES}
    # What is to be read with the alerts.
    needs: ClassVar[tuple[str, ...]] = (
        "rule",
        "order__order",
        "source",
        "owner",
        "acknowledged_by",
    )

    id = serializers.IntegerField()
    state = Word(AlertState)
    severity = Word(Severity)
    title = serializers.CharField()
    rule = AlertRuleShape(allow_null=True)
    order = AlertOrderShape(allow_null=True)
    source = serializers.CharField(source="source.slug", default=None, allow_null=True)  # type: ignore[assignment]  # not DRF's `source`
    obligation = serializers.CharField()
    episode = serializers.IntegerField()
    team = serializers.CharField()
    owner = PersonShape(allow_null=True)
    money_at_risk = Money("money", required=False, allow_null=True)
    started_at = Moment()
    due_at = Moment()
    opened_at = Moment()
    acknowledged_at = Moment(allow_null=True)
    acknowledged_by = PersonShape(allow_null=True)
    snoozed_until = Moment(allow_null=True)
    resolved_at = Moment(allow_null=True)
    resolution = serializers.CharField()
    changed_at = Moment()


class HistoryShape(Shape):
    """One line of an alert's history."""

    at = Moment()
    what = serializers.CharField()
    who = PersonShape(allow_null=True)
    text = serializers.CharField()


class MessageShape(Shape):
    """A message and its fate; never its content."""

    id = serializers.CharField()
    source = serializers.CharField(source="slug")  # type: ignore[assignment]  # not DRF's `source`
    received_at = Moment()
    state = Word(MessageState)
    reason = serializers.CharField()
    detail = serializers.CharField()
    attempts = serializers.IntegerField()
    processed_at = Moment(allow_null=True)
    event_types = serializers.ListField(child=serializers.CharField(), source="types")


class SourceShape(Shape):
    """A source and how its feed is; never its secrets."""

    slug = serializers.CharField(source="source.slug")
    title = serializers.CharField(source="source.title")
    system = serializers.CharField()
    role = serializers.CharField(source="source.role")
    owner = serializers.CharField(source="source.owner")
    enabled = serializers.BooleanField(source="source.enabled")
    state = serializers.SerializerMethodField()
    why = serializers.CharField()
    last_message_at = Moment(source="last_at", allow_null=True)
    expected_by = Moment(source="expected_at", allow_null=True)
    messages_last_hour = serializers.IntegerField(source="last_hour")
    messages_last_day = serializers.IntegerField(source="last_day")
    median_delay_seconds = serializers.SerializerMethodField()
    parked = serializers.IntegerField()
    parked_since = Moment(allow_null=True)
    waiting = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    refused_last_day = serializers.IntegerField(source="refused")

    @extend_schema_field({"type": "string", "enum": [state.name.lower() for state in State]})
    def get_state(self, health: Any) -> str:
        """A word for programs: that of the pages may be worded better one day."""
        return str(health.state.name.lower())

    @extend_schema_field({"type": ["number", "null"]})
    def get_median_delay_seconds(self, health: Any) -> float | None:
        """From what happened to our hearing of it."""
        return health.delay.total_seconds() if health.delay is not None else None
