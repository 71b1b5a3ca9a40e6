"""GET /alerts/health: how well the alerts work."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.screens.alerts.alert_health import (
    DEFAULT_DAYS,
    PERIODS,
    load_alert_health,
)
from visibility.screens.alerts.inbox import visible_alerts
from visibility.web.api.base import ApiView, is_integrator_only
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.query_params import QueryParameter
from visibility.web.permissions import Permission


class AlertFiguresSerializer(PermissionFilteredSerializer):
    """The alerts that opened in the period, and what became of them."""

    opened = serializers.IntegerField()
    open = serializers.IntegerField()
    stale = serializers.IntegerField(help_text="Open and unassigned for more than 24 hours.")
    unstable = serializers.IntegerField(help_text="Opened more than three times.")
    closed = serializers.IntegerField()
    closed_by_evidence = serializers.IntegerField(help_text="Closed without a person.")
    withdrawn = serializers.IntegerField(help_text="Closed, because there was no breach.")
    acknowledge_seconds = serializers.FloatField(
        allow_null=True, help_text="Median; null if none was acknowledged."
    )
    close_seconds = serializers.FloatField(
        allow_null=True, help_text="Median; null if none was closed."
    )


class RuleAlertFiguresSerializer(PermissionFilteredSerializer):
    """The figures of one rule. `code` is empty for alerts without a rule."""

    code = serializers.CharField()
    title = serializers.CharField()
    figures = AlertFiguresSerializer()


class BusiestHourSerializer(PermissionFilteredSerializer):
    """The hour in which most alerts opened."""

    starts_at = Rfc3339Field()
    alerts = serializers.IntegerField()


class AlertHealthSerializer(PermissionFilteredSerializer):
    """The figures of all alerts, and of the ten rules with the most alerts."""

    days = serializers.IntegerField()
    total = AlertFiguresSerializer()
    rules = RuleAlertFiguresSerializer(many=True)
    busiest_hour = BusiestHourSerializer(allow_null=True)


class AlertHealthView(ApiView):
    """`/alerts/health`."""

    required_permissions = (Permission.ALERTS_SEE,)
    query_parameters = (
        QueryParameter(
            "days",
            "The period; 28 without it.",
            int,
            choices=tuple(str(period) for period in PERIODS),
        ),
    )

    @extend_schema(operation_id="alert_health", responses=AlertHealthSerializer)
    def get(self, request: Request) -> Response:
        """Retrieve how many alerts opened, which rules opened most, and how they ended."""
        days = self.params.get("days", DEFAULT_DAYS)
        alerts = visible_alerts(sources_only=is_integrator_only(request))
        health = load_alert_health(alerts, days=days, now=database_now())
        return Response(serialize(AlertHealthSerializer, health))
