"""Bodies and responses of the endpoints of subscriptions and channels."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from connectors.sdk.settings import SettingType
from visibility.models import Severity
from visibility.notify.change_and_test_subscriptions import (
    CHANNEL,
    SELECTION_FIELDS,
    InvalidSubscription,
)
from visibility.notify.check_selection import SCOPE
from visibility.web.api.common_serializers import (
    AlertRuleSerializer,
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
)
from visibility.web.api.problem_responses import InvalidInput
from visibility.web.api.request_body_serializers import RequestBody


def is_selection_field(name: str) -> bool:
    """Whether a name is that of a field, and not that of a setting of the channel."""
    return name in {CHANNEL, *SELECTION_FIELDS} or name.startswith(SCOPE)


class InvalidSubscriptionInput(InvalidInput):
    """Fields of a subscription are invalid, each with its sentence."""

    def __init__(self, error: InvalidSubscription) -> None:
        super().__init__("", " ".join(e.sentence for e in error.errors))
        paths = {
            e.name: e.name if is_selection_field(e.name) else f"settings.{e.name}"
            for e in error.errors
        }
        self.errors = [{"path": paths[e.name], "detail": e.sentence} for e in error.errors]


class ChannelSettingSerializer(PermissionFilteredSerializer):
    """A setting that a channel declares. A secret is written and never read."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # not the label of a DRF field
    help = serializers.CharField()
    type = EnumField(SettingType)
    default = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]  # not that of a DRF field
    choices = serializers.ListField(child=serializers.CharField())


class ChannelSerializer(PermissionFilteredSerializer):
    """A channel. `problem` says why no server accepts its messages; empty if one does."""

    code = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    problem = serializers.CharField(source="missing_server_sentence")
    settings = ChannelSettingSerializer(many=True)


class ChannelListSerializer(PermissionFilteredSerializer):
    """All channels."""

    items = ChannelSerializer(many=True)


class SubscriptionSerializer(PermissionFilteredSerializer):
    """A subscription without its secrets. `problem`: why no server can accept its messages."""

    id = serializers.IntegerField(source="subscription.pk")
    channel = serializers.CharField(source="subscription.channel")
    settings = serializers.DictField(child=serializers.CharField())
    has_secrets = serializers.BooleanField()
    rule = AlertRuleSerializer(source="subscription.rule", allow_null=True)
    rules = serializers.ListField(
        child=serializers.CharField(), source="rule_codes", help_text="Codes; none: all rules."
    )
    severities = serializers.ListField(child=EnumField(Severity))
    scope = serializers.DictField(child=serializers.CharField(), source="subscription.scope")
    team = serializers.CharField(
        source="subscription.team.slug", default=None, allow_null=True, help_text="Slug, or null."
    )
    time_zone = serializers.CharField(
        source="subscription.time_zone", help_text="Empty: that of the organization."
    )
    quiet_from = serializers.TimeField(
        source="subscription.quiet_from", format="%H:%M", allow_null=True
    )
    quiet_until = serializers.TimeField(
        source="subscription.quiet_until", format="%H:%M", allow_null=True
    )
    digest = serializers.CharField(
        source="subscription.digest", help_text="`hourly`, `daily`, or empty."
    )
    digest_at = serializers.TimeField(
        source="subscription.digest_at", format="%H:%M", allow_null=True
    )
    critical_at_once = serializers.BooleanField(source="subscription.critical_at_once")
    enabled = serializers.BooleanField(source="subscription.enabled")
    disabled_reason = serializers.CharField(source="subscription.disabled_reason")
    user = UserSerializer(source="subscription.user")
    problem = serializers.CharField()
    accepted_at = Rfc3339Field(source="subscription.accepted_at", allow_null=True)
    delivery_error = serializers.CharField(source="subscription.delivery_error")


class SubscriptionTestResultSerializer(PermissionFilteredSerializer):
    """Whether a server accepted the test message, and what it answered."""

    accepted = serializers.BooleanField(source="is_accepted")
    detail = serializers.CharField()


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class SettingTextsField(serializers.DictField):
    """Settings of a channel as texts by name."""

    child = serializers.CharField(max_length=1_000, allow_blank=True)


class SubscriptionChangeBody(RequestBody):
    """The fields to change. A blank setting is removed; a blank secret stays."""

    settings = SettingTextsField(required=False)
    rule = serializers.CharField(required=False, allow_null=True, max_length=50)
    rules = serializers.ListField(
        child=serializers.CharField(max_length=50), required=False, max_length=100
    )
    severities = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False, max_length=20
    )
    scope = serializers.DictField(
        child=serializers.CharField(max_length=100, allow_blank=True), required=False
    )
    team = serializers.CharField(required=False, allow_null=True, max_length=60)
    time_zone = serializers.CharField(required=False, allow_blank=True, max_length=60)
    quiet_from = serializers.CharField(required=False, allow_null=True, max_length=10)
    quiet_until = serializers.CharField(required=False, allow_null=True, max_length=10)
    digest = serializers.CharField(required=False, allow_blank=True, max_length=10)
    digest_at = serializers.CharField(required=False, allow_null=True, max_length=10)
    critical_at_once = serializers.BooleanField(required=False)
    enabled = serializers.BooleanField(required=False)


class SubscriptionBody(SubscriptionChangeBody):
    """A new subscription. `rule`: the code of a rule, or null for all rules."""

    channel = serializers.CharField(max_length=40)
