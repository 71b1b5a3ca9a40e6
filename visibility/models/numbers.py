"""Finished numbers: what each order contributed, and the cells the pages read."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from visibility.models.objects import BusinessObject


class KpiFact(models.Model):
    """How one order counts in one KPI: the drill-down is these rows, the cells are their sums."""

    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    kpi = models.CharField(max_length=60)
    version = models.IntegerField()
    day = models.DateField()
    channel = models.CharField(max_length=60)
    warehouse = models.CharField(max_length=100)
    customer_group = models.CharField(max_length=100)
    numerator = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    denominator = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    excluded = models.CharField(max_length=40, default="")
    # Lines that could not be counted, by the reason; the order counts without them.
    aside = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "kpi"], name="kpi_fact_once")
        ]
        indexes: ClassVar = [models.Index(fields=["kpi", "day"], name="kpi_fact_day")]


class KpiCell(models.Model):
    """One KPI on one day for one channel, warehouse and customer group, or for all of one.

    `grain`: the dimensions it sums over, as GROUPING() has them: 4 channels, 2 warehouses,
    1 customer groups; those are then empty. So a page reads as many cells as it shows, however
    many orders there are.
    """

    grain = models.SmallIntegerField()
    kpi = models.CharField(max_length=60)
    day = models.DateField()
    channel = models.CharField(max_length=60)
    warehouse = models.CharField(max_length=100)
    customer_group = models.CharField(max_length=100)
    orders = models.IntegerField()
    numerator = models.DecimalField(max_digits=32, decimal_places=6)
    denominator = models.DecimalField(max_digits=32, decimal_places=6)
    # A histogram of each order's own value, for percentiles: see `show/buckets.py`.
    buckets = ArrayField(models.IntegerField(), default=list)
    counts = ArrayField(models.IntegerField(), default=list)
    excluded = models.JSONField(default=dict)
    aside = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["grain", "kpi", "day", "channel", "warehouse", "customer_group"],
                name="kpi_cell_once",
            )
        ]


class DirtyCell(models.Model):
    """A day of a KPI whose cells are to be summed again."""

    kpi = models.CharField(max_length=60)
    day = models.DateField()
