"""Maintenance of sources is planned; polls have a start and counts, and store their requests."""

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
    ]
