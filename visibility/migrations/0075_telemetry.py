"""Add telemetry: counts by hour, readings of queues, and samples of calls and runs."""

from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import visibility.models.choices


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("visibility", "0073_batches"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="TelemetrySeries",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=visibility.models.choices.telemetry_kinds, max_length=20
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("operation", models.CharField(blank=True, default="", max_length=120)),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.source",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TelemetrySample",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("key", models.BigIntegerField()),
                (
                    "result",
                    models.CharField(
                        choices=visibility.models.choices.telemetry_results, max_length=10
                    ),
                ),
                ("is_failed", models.BooleanField()),
                ("is_linked", models.BooleanField()),
                ("weight", models.IntegerField()),
                ("milliseconds", models.IntegerField(null=True)),
                ("http_status", models.IntegerField(null=True)),
                ("text", models.CharField(blank=True, default="", max_length=500)),
                ("trace_id", models.CharField(blank=True, default="", max_length=32)),
                ("run_id", models.CharField(blank=True, default="", max_length=120)),
                ("url", models.CharField(blank=True, default="", max_length=500)),
                ("started_at", models.DateTimeField(null=True)),
                ("records_read", models.IntegerField(null=True)),
                ("records_written", models.IntegerField(null=True)),
                ("records_failed", models.IntegerField(null=True)),
                (
                    "series",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.telemetryseries",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TelemetryHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("hour", models.DateTimeField()),
                (
                    "result",
                    models.CharField(
                        choices=visibility.models.choices.telemetry_results, max_length=10
                    ),
                ),
                ("calls", models.BigIntegerField()),
                ("records", models.BigIntegerField()),
                (
                    "latencies",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
                ("slowest_ms", models.IntegerField(null=True)),
                (
                    "series",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.telemetryseries",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="QueueHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("readings", models.BigIntegerField()),
                ("greatest_depth", models.IntegerField()),
                ("greatest_oldest_seconds", models.IntegerField(null=True)),
                ("last_at", models.DateTimeField()),
                ("last_depth", models.IntegerField()),
                ("last_oldest_seconds", models.IntegerField(null=True)),
                (
                    "series",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.telemetryseries",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TelemetryKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.source",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["at"], name="telemetry_key_at")],
                "constraints": [
                    models.UniqueConstraint(fields=("source", "key"), name="telemetry_key_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="TelemetryNumber",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=visibility.models.choices.object_kinds, max_length=20),
                ),
                (
                    "scheme",
                    models.CharField(
                        choices=visibility.models.choices.identifier_schemes, max_length=20
                    ),
                ),
                ("issuer", models.CharField(max_length=100)),
                ("value", models.CharField(max_length=200)),
                (
                    "sample",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.telemetrysample",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["value", "scheme", "issuer", "kind"], name="telemetry_number_value"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("sample", "value", "scheme", "issuer", "kind"),
                        name="telemetry_number_unique",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="telemetryseries",
            constraint=models.UniqueConstraint(
                fields=("source", "kind", "name", "operation"), name="telemetry_series_unique"
            ),
        ),
        migrations.AddIndex(
            model_name="telemetrysample",
            index=models.Index(
                fields=["series", "is_linked", "is_failed", "-at", "-key"],
                name="telemetry_sample_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="telemetrysample",
            index=models.Index(fields=["at"], name="telemetry_sample_at"),
        ),
        migrations.AddIndex(
            model_name="telemetrysample",
            index=models.Index(
                condition=models.Q(("trace_id", ""), _negated=True),
                fields=["trace_id"],
                name="telemetry_sample_trace",
            ),
        ),
        migrations.AddConstraint(
            model_name="telemetrysample",
            constraint=models.UniqueConstraint(
                condition=models.Q(("run_id", ""), _negated=True),
                fields=("series", "run_id"),
                name="telemetry_run_unique",
            ),
        ),
        migrations.AddIndex(
            model_name="telemetryhour",
            index=models.Index(fields=["hour"], name="telemetry_hour_hour"),
        ),
        migrations.AddConstraint(
            model_name="telemetryhour",
            constraint=models.UniqueConstraint(
                fields=("series", "hour", "result"), name="telemetry_hour_unique"
            ),
        ),
        migrations.AddIndex(
            model_name="queuehour",
            index=models.Index(fields=["hour"], name="queue_hour_hour"),
        ),
        migrations.AddConstraint(
            model_name="queuehour",
            constraint=models.UniqueConstraint(fields=("series", "hour"), name="queue_hour_unique"),
        ),
    ]
