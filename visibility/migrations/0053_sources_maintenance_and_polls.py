"""Maintenance of sources, their polls with requests, and the fields of their messages."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0051_discarded_and_edited_messages"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="pollround", name="started_at", field=models.DateTimeField(null=True)
        ),
        migrations.AddField(
            model_name="pollround", name="new_count", field=models.IntegerField(null=True)
        ),
        migrations.AddField(
            model_name="pollround", name="page_count", field=models.IntegerField(null=True)
        ),
        migrations.AddIndex(
            model_name="pollround",
            index=models.Index(fields=["source", "-id"], name="poll_round_source"),
        ),
        migrations.CreateModel(
            name="OutgoingRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sent_at", models.DateTimeField()),
                ("method", models.CharField(max_length=10)),
                ("address", models.CharField(max_length=500)),
                ("status", models.IntegerField(null=True)),
                ("milliseconds", models.IntegerField()),
                ("error", models.CharField(default="", max_length=300)),
                ("retry_at", models.DateTimeField(null=True)),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.source",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["source", "-id"], name="outgoing_request_source")]
            },
        ),
        migrations.CreateModel(
            name="SourceMaintenance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("why", models.CharField(max_length=500)),
                ("planned_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.source",
                    ),
                ),
                (
                    "planned_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="source_maintenance_order",
                    )
                ],
                "indexes": [
                    models.Index(fields=["source", "-ends_at"], name="source_maintenance_source")
                ],
            },
        ),
        migrations.CreateModel(
            name="SourceField",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.source",
                    ),
                ),
                ("event_type", models.CharField(blank=True, default="", max_length=40)),
                ("path", models.CharField(max_length=200)),
                ("kind", models.CharField(max_length=10)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "event_type", "path", "kind"), name="source_field_unique"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="SourceFieldSample",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.source",
                    ),
                ),
                ("event_type", models.CharField(blank=True, default="", max_length=40)),
                ("first_sampled_at", models.DateTimeField()),
                ("last_sampled_at", models.DateTimeField()),
                ("message_count", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "event_type"), name="source_field_sample_unique"
                    )
                ]
            },
        ),
    ]
