"""Notes that people write on the charts of KPIs."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class KpiNote(models.Model):
    """A note on the days `start` to `end`. `kpi` is the code of a KPI, "" for all KPIs.

    `version` counts the changes.
    """

    kpi = models.CharField(max_length=60, default="")
    start = models.DateField()
    end = models.DateField()
    text = models.CharField(max_length=500)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(end__gte=models.F("start")), name="kpi_note_days"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["-start", "-id"], name="kpi_note_start")]
