"""Telemetry of sources: counts by hour, depths of queues, and a bounded number of samples.

Telemetry is no event. It is counted once when its message is processed, and cannot be recomputed.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from visibility.models import choices
from visibility.models.sources_and_messages import Source


class TelemetrySeries(models.Model):
    """A service with an operation, a flow or a queue of a source."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_index=False)
    kind = models.CharField(max_length=20, choices=choices.telemetry_kinds)
    name = models.CharField(max_length=80)
    operation = models.CharField(max_length=120, default="", blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "kind", "name", "operation"], name="telemetry_series_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.operation}".strip()


class TelemetryKey(models.Model):
    """The hashed key of a record that was counted. Stored as long as a repeat would count."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_index=False)
    key = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "key"], name="telemetry_key_unique")
        ]
        indexes: ClassVar = [models.Index(fields=["at"], name="telemetry_key_at")]


class TelemetryHour(models.Model):
    """The calls or finished runs of a series in one hour, by result.

    `calls` is weighted by the sample rate, `records` is how many were received. `latencies` counts
    the calls by duration, see `visibility/storage/latency_histogram.py`.
    """

    series = models.ForeignKey(TelemetrySeries, on_delete=models.CASCADE, db_index=False)
    hour = models.DateTimeField()
    result = models.CharField(max_length=10, choices=choices.telemetry_results)
    calls = models.BigIntegerField()
    records = models.BigIntegerField()
    latencies = ArrayField(models.BigIntegerField())
    slowest_ms = models.IntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["series", "hour", "result"], name="telemetry_hour_unique"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["hour"], name="telemetry_hour_hour")]


class QueueHour(models.Model):
    """The readings of a queue in one hour: the last one and the greatest values."""

    series = models.ForeignKey(TelemetrySeries, on_delete=models.CASCADE, db_index=False)
    hour = models.DateTimeField()
    readings = models.BigIntegerField()
    greatest_depth = models.IntegerField()
    greatest_oldest_seconds = models.IntegerField(null=True)
    last_at = models.DateTimeField()
    last_depth = models.IntegerField()
    last_oldest_seconds = models.IntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["series", "hour"], name="queue_hour_unique")
        ]
        indexes: ClassVar = [models.Index(fields=["hour"], name="queue_hour_hour")]


class TelemetrySample(models.Model):
    """A call or a run. Only the newest ones of each number and each series are stored.

    `key` orders samples of the same time. `is_failed`: it failed, or records of the run did.
    `is_linked`: it names a number of an order, see `TelemetryNumber`.
    """

    series = models.ForeignKey(TelemetrySeries, on_delete=models.CASCADE, db_index=False)
    at = models.DateTimeField()
    key = models.BigIntegerField()
    result = models.CharField(max_length=10, choices=choices.telemetry_results)
    is_failed = models.BooleanField()
    is_linked = models.BooleanField()
    weight = models.IntegerField()
    milliseconds = models.IntegerField(null=True)
    http_status = models.IntegerField(null=True)
    text = models.CharField(max_length=500, default="", blank=True)
    trace_id = models.CharField(max_length=32, default="", blank=True)
    run_id = models.CharField(max_length=120, default="", blank=True)
    url = models.CharField(max_length=500, default="", blank=True)
    started_at = models.DateTimeField(null=True)
    records_read = models.IntegerField(null=True)
    records_written = models.IntegerField(null=True)
    records_failed = models.IntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["series", "run_id"], condition=~Q(run_id=""), name="telemetry_run_unique"
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["series", "is_linked", "is_failed", "-at", "-key"],
                name="telemetry_sample_newest",
            ),
            models.Index(fields=["at"], name="telemetry_sample_at"),
            models.Index(
                fields=["trace_id"], condition=~Q(trace_id=""), name="telemetry_sample_trace"
            ),
        ]


class TelemetryNumber(models.Model):
    """A number of an order, or of what belongs to it, that a sample names."""

    sample = models.ForeignKey(TelemetrySample, on_delete=models.CASCADE, db_index=False)
    kind = models.CharField(max_length=20, choices=choices.object_kinds)
    scheme = models.CharField(max_length=20, choices=choices.identifier_schemes)
    issuer = models.CharField(max_length=100)
    value = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["sample", "value", "scheme", "issuer", "kind"],
                name="telemetry_number_unique",
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["value", "scheme", "issuer", "kind"], name="telemetry_number_value"
            )
        ]
