"""KPI results: what orders and events contribute, and the aggregated cells that pages read."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from visibility.models.objects_and_identifiers import BusinessObject


class KpiDimensions(models.Model):
    """The columns of `visibility.kpi.dimensions`. A KPI without a dimension has "" in it."""

    channel = models.CharField(max_length=60)
    warehouse = models.CharField(max_length=100)
    customer_group = models.CharField(max_length=100)
    customer = models.CharField(max_length=100, db_default="", default="")
    carrier = models.CharField(max_length=100, db_default="", default="")
    item = models.CharField(max_length=250, db_default="", default="")
    supplier = models.CharField(max_length=100, db_default="", default="")
    source = models.CharField(max_length=100, db_default="", default="")

    class Meta:
        abstract = True


class KpiFact(KpiDimensions):
    """How one order, line or event counts in one KPI. Drill-downs list these rows; cells are their
    sums.

    `subject_key`: "" for the order itself, the key of a line, or the ID of an event. `started_at`
    and `ended_at`: the interval of a stock KPI; the times of occurrence and receipt of an event.
    `order` is null for a record that no fold writes, such as a message or an alert: `subject_key`
    is its key then (`visibility.kpi.measured_records`).
    """

    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT, null=True)
    kpi = models.CharField(max_length=60)
    subject_key = models.CharField(max_length=300, db_default="", default="")
    version = models.IntegerField()
    day = models.DateField()
    # For a stock KPI: the days until the day of the end, null while the order is open.
    numerator = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    denominator = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    excluded = models.CharField(max_length=40, default="")
    # Number of lines that cannot be counted, by reason; the order counts without them.
    uncountable = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "kpi", "subject_key"], name="kpi_fact_subject_unique"
            ),
            models.UniqueConstraint(
                fields=["kpi", "subject_key"],
                condition=Q(order__isnull=True),
                name="kpi_fact_record_unique",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["kpi", "day"], name="kpi_fact_day")]


class FailedKpi(models.Model):
    """A KPI that raised an error for an order, which does not count in it then. Derived."""

    order = models.ForeignKey(BusinessObject, on_delete=models.PROTECT)
    kpi = models.CharField(max_length=60)
    # The version of the KPI that failed. Another version is tried again at once.
    version = models.IntegerField()
    # The message that people read.
    error = models.TextField()
    # Retried some time later even by the same version: a setting may have been corrected.
    failed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "kpi"], name="failed_kpi_unique")
        ]
        indexes: ClassVar = [models.Index(fields=["kpi"], name="failed_kpi_kpi")]


class KpiCell(KpiDimensions):
    """The sum of the facts of one KPI on one day, by a grouping of `visibility.kpi.dimensions`.

    `grouping`: a bit mask of the dimensions that the cell sums over, as GROUPING() returns it.
    Those dimensions are then empty.
    """

    grouping = models.SmallIntegerField()
    kpi = models.CharField(max_length=60)
    day = models.DateField()
    # The number of facts that count: orders, lines or events.
    orders = models.IntegerField()
    numerator = models.DecimalField(max_digits=32, decimal_places=6)
    denominator = models.DecimalField(max_digits=32, decimal_places=6)
    # A histogram: of durations, for percentiles (`duration_histogram_buckets`); for a stock KPI, of
    # the days until the end.
    buckets = ArrayField(models.IntegerField(), default=list)
    counts = ArrayField(models.IntegerField(), default=list)
    excluded = models.JSONField(default=dict)
    uncountable = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "grouping",
                    "kpi",
                    "day",
                    "channel",
                    "warehouse",
                    "customer_group",
                    "customer",
                    "carrier",
                    "item",
                    "supplier",
                    "source",
                ],
                name="kpi_cell_dimensions_unique",
            )
        ]


class KpiFactChange(KpiDimensions):
    """A fact that was added (weight 1) or removed (weight -1), and is not in the cells yet.

    A trigger of the fact table writes these rows, in the transaction that changes the fact.
    """

    kpi = models.CharField(max_length=60)
    day = models.DateField()
    weight = models.SmallIntegerField()
    numerator = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    denominator = models.DecimalField(max_digits=32, decimal_places=6, null=True)
    excluded = models.CharField(max_length=40)
    uncountable = models.JSONField()


class KpiRecountRequest(models.Model):
    """A request to sum the facts of one KPI for one day again, whatever its cells contain."""

    kpi = models.CharField(max_length=60)
    day = models.DateField()


class KpiRecordChange(models.Model):
    """A message, poll, alert or action that was added or changed, and is not measured yet.

    Triggers of the four tables write these rows, in the transaction that changes the record.
    """

    # A `visibility.kpi.measured_records.RecordKind`.
    kind = models.CharField(max_length=20)
    record_id = models.BigIntegerField()
    # Of a message: its receipt, which finds its partition.
    received_at = models.DateTimeField(null=True)
