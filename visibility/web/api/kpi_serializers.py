"""Serializers of KPI definitions, values and the orders behind a value."""

from typing import Any

from rest_framework import serializers

from visibility.kpi.dimensions import DIMENSIONS
from visibility.kpi.drilldown import KpiOrderLineOrEvent
from visibility.kpi.kpi import KpiFamily, KpiUnit
from visibility.kpi.periods import PeriodLength
from visibility.web.api.common_serializers import (
    DecimalTextField,
    EnumField,
    PermissionFilteredSerializer,
)
from visibility.web.permissions import Permission


class KpiDefinitionSerializer(PermissionFilteredSerializer):
    """A KPI definition. Targets are ratios from 0 to 1, or durations in seconds."""

    code = serializers.CharField()
    family = EnumField(
        KpiFamily,
        help_text="`flow`: orders that reached something. `stock`: orders that are open at the "
        "end of the range. `measure`: events, messages, polls, alerts or actions of people.",
    )
    title = serializers.CharField()
    unit = EnumField(KpiUnit)
    version = serializers.IntegerField()
    definition = serializers.CharField()
    counted = serializers.CharField(help_text="What the numerator and denominator count.")
    target = DecimalTextField(
        allow_null=True, help_text="The target today, without filters: see `kpi-targets`."
    )
    default_target = DecimalTextField(
        source="target", allow_null=True, help_text="The target while none is set."
    )
    higher_is_better = serializers.BooleanField()
    dimensions = serializers.ListField(
        child=EnumField(list(DIMENSIONS)), help_text="What it can be filtered and broken down by."
    )
    reasons = serializers.DictField(
        child=serializers.CharField(), help_text="Reasons to exclude an order: code and text."
    )


class KpiDefinitionListSerializer(PermissionFilteredSerializer):
    """All KPI definitions."""

    items = KpiDefinitionSerializer(many=True)


class KpiNumeratorDenominatorSerializer(PermissionFilteredSerializer):
    """A KPI value with its numerator and denominator; `value` is null if nothing counts."""

    value = DecimalTextField(
        allow_null=True, help_text="Numerator / denominator: a ratio, or a mean in seconds."
    )
    numerator = DecimalTextField()
    denominator = DecimalTextField()
    orders = serializers.IntegerField(
        help_text="Number of orders; for a KPI of the family `measure`, of what it counts."
    )
    median_seconds = serializers.FloatField(allow_null=True)
    p90_seconds = serializers.FloatField(allow_null=True)
    oldest_seconds = serializers.FloatField(
        allow_null=True, help_text="The highest age, of a KPI of the family `stock`."
    )


class KpiTotalWithExclusionsSerializer(KpiNumeratorDenominatorSerializer):
    """A KPI value with the excluded orders and the uncountable lines."""

    excluded = serializers.DictField(child=serializers.IntegerField())
    uncountable = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Lines of counted orders that could not be counted, by reason.",
    )


class KpiSegmentSerializer(KpiNumeratorDenominatorSerializer):
    """The KPI value of a segment, that of the compared range, and its part of the change."""

    compared = KpiNumeratorDenominatorSerializer(
        allow_null=True, help_text="Null for a period, and without a comparison."
    )
    target = DecimalTextField(
        allow_null=True,
        help_text="The target of the segment on the last day of the range, or of the period.",
    )
    contribution = DecimalTextField(
        allow_null=True,
        help_text="What it contributes to the change of `value`: a ratio, or seconds of the mean. "
        "Those of all slices add up to the change. Null for a period, and without a comparison.",
    )


def provisional_field() -> serializers.ListField:
    """The reasons for which a value may still change."""
    return serializers.ListField(
        child=serializers.CharField(),
        help_text="Why the value may still change, in words; empty if it is final.",
    )


class KpiSliceSerializer(KpiSegmentSerializer):
    """The KPI value of one slice."""

    name = serializers.CharField()
    and_name = serializers.CharField(
        allow_null=True, help_text="The value of the second dimension."
    )
    provisional = provisional_field()


class KpiDifferenceSerializer(KpiSegmentSerializer):
    """A segment that made the value worse. `segment` has its value of each dimension."""

    segment = serializers.DictField(child=serializers.CharField())


class KpiDifferenceListSerializer(PermissionFilteredSerializer):
    """The segments that explain a worse value, the worst first."""

    items = KpiDifferenceSerializer(many=True)


class ComparedKpiValueSerializer(KpiNumeratorDenominatorSerializer):
    """The KPI value of the date range that another is compared with."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which is a Python keyword and cannot be a class attribute."""
        dates = {"from": serializers.DateField(), "to": serializers.DateField()}
        return dates | super().get_fields()


class KpiValueSerializer(PermissionFilteredSerializer):
    """A KPI value over a date range."""

    kpi = serializers.CharField()
    version = serializers.IntegerField()
    unit = EnumField(KpiUnit)
    target = DecimalTextField(
        allow_null=True,
        help_text="The target with these filters on the last day: a ratio, or seconds.",
    )
    since = serializers.DateField(source="from")
    provisional = provisional_field()
    total = KpiTotalWithExclusionsSerializer()
    compared = ComparedKpiValueSerializer(
        allow_null=True, help_text="Null if the value is compared with nothing."
    )
    by = EnumField([*DIMENSIONS, *PeriodLength], allow_null=True)
    second = EnumField(list(DIMENSIONS), allow_null=True, source="and")
    slices = KpiSliceSerializer(many=True)
    slices_omitted = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from` and `and`, Python keywords that cannot be class attributes."""
        fields = super().get_fields()
        fields.pop("since")
        fields.pop("second")
        fields["and"] = EnumField(list(DIMENSIONS), allow_null=True)
        return {"from": serializers.DateField(), "to": serializers.DateField()} | fields


class KpiOrderSerializer(PermissionFilteredSerializer):
    """An order, an event or another record, with its contribution to a KPI."""

    restricted_fields = {"customer_name": Permission.CONTACTS}

    id = serializers.IntegerField(
        source="order_id",
        allow_null=True,
        help_text="The order; null for a message or poll, and for an alert about something else.",
    )
    number = serializers.CharField()
    customer_no = serializers.CharField()
    customer_name = serializers.CharField(
        required=False, help_text="Only with permission to see contacts."
    )
    status = serializers.CharField()
    status_answer = serializers.CharField(source="answer")
    day = serializers.DateField()
    channel = serializers.CharField()
    warehouse = serializers.CharField()
    numerator = DecimalTextField(
        allow_null=True,
        help_text="For the family `stock`: the days until the order ended, null while it is open.",
    )
    denominator = DecimalTextField(allow_null=True)
    excluded = serializers.CharField(help_text="Reason code; empty if the order counts.")
    subject_key = serializers.CharField(
        help_text="What of the order counts: empty for the order itself, the key of a line, the "
        "ID of an event, message, poll or action, or the ID and episode of an alert."
    )
    item = serializers.CharField(help_text="The item of a line.")
    event_source = serializers.CharField(
        source="source", help_text="The source of an event or record."
    )
    event_type = serializers.CharField(help_text="The type of an event.")
    message_id = serializers.IntegerField(
        allow_null=True, help_text="The message, or that of an event."
    )
    alert_id = serializers.IntegerField(
        allow_null=True, help_text="The alert, or that of an action."
    )
    text = serializers.SerializerMethodField(
        help_text="The title of an alert; or why a message or poll failed, only with permission to "
        "see parked messages."
    )
    started_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the order became open, the event occurred, or the record began.",
    )
    ended_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the order was no longer open, the event was received, or the record ended.",
    )
    uncountable = serializers.DictField(
        child=serializers.IntegerField(), help_text="Lines that could not be counted, by reason."
    )

    def get_text(self, row: KpiOrderLineOrEvent) -> str:
        """What failed in a message or poll can quote the message."""
        is_shown = row.alert_id is not None or Permission.PARKED_SEE in self.context["permissions"]
        return row.text if is_shown else ""
