"""Targets of KPIs that administrators set."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class KpiTarget(models.Model):
    """The target of a KPI on the days `first_day` to `last_day`, null without an end.

    `value` is a fraction of 1, or seconds. `dimension` and `dimension_value`: what it applies to,
    such as warehouse and Dallas; both are empty for the whole KPI. A target with `last_day` before
    `first_day` was replaced or ended before it applied.
    """

    kpi = models.CharField(max_length=60)
    value = models.DecimalField(max_digits=20, decimal_places=6)
    dimension = models.CharField(max_length=20, default="")
    dimension_value = models.CharField(max_length=250, default="")
    first_day = models.DateField()
    last_day = models.DateField(null=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(value__gt=0), name="kpi_target_value"),
            models.CheckConstraint(
                condition=Q(dimension="", dimension_value="")
                | (~Q(dimension="") & ~Q(dimension_value="")),
                name="kpi_target_scope",
            ),
            models.UniqueConstraint(
                fields=["kpi", "dimension", "dimension_value", "first_day"],
                condition=Q(last_day__isnull=True) | Q(last_day__gte=F("first_day")),
                name="kpi_target_first_day_unique",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["kpi", "-first_day", "-id"], name="kpi_target_kpi")
        ]
