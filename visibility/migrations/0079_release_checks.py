"""Release checks: what another reading of stored messages would change."""

from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("visibility", "0078_read_fields"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ReleaseCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("revision", models.IntegerField(null=True)),
                ("text", models.TextField(blank=True, default="")),
                ("reader", models.CharField(max_length=80)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("canceled", "Canceled"),
                        ],
                        max_length=10,
                    ),
                ),
                ("detail", models.CharField(blank=True, default="", max_length=500)),
                ("attempt", models.IntegerField(default=0)),
                ("step", models.CharField(blank=True, default="", max_length=10)),
                ("done", models.IntegerField(default=0)),
                ("total", models.IntegerField(default=0)),
                ("requested_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("available", models.IntegerField(default=0)),
                ("selected", models.IntegerField(default=0)),
                ("without_body", models.IntegerField(default=0)),
                ("summary", models.JSONField(default=dict)),
                (
                    "message_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("version_before", models.IntegerField(null=True)),
                ("version", models.IntegerField(null=True)),
                ("promoted_at", models.DateTimeField(null=True)),
                ("rolled_back_at", models.DateTimeField(null=True)),
                (
                    "manifest",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.manifest",
                    ),
                ),
                (
                    "promoted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "promotion_replay",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="visibility.messagereplay",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rollback_replay",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="visibility.messagereplay",
                    ),
                ),
                (
                    "rolled_back_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
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
            name="ReleaseCheckMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("message_id", models.BigIntegerField()),
                ("change", models.CharField(max_length=20)),
                ("reason_before", models.CharField(blank=True, default="", max_length=40)),
                ("detail_before", models.CharField(blank=True, default="", max_length=500)),
                ("reason", models.CharField(blank=True, default="", max_length=40)),
                ("detail", models.CharField(blank=True, default="", max_length=500)),
                (
                    "check_run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.releasecheck",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReleaseCheckOrder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.IntegerField()),
                ("object_id", models.BigIntegerField(null=True)),
                ("number", models.CharField(max_length=200)),
                ("identity", models.CharField(blank=True, default="", max_length=600)),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=120), size=None
                    ),
                ),
                ("differences", models.JSONField()),
                (
                    "message_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
                (
                    "check_run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.releasecheck",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="releasecheck",
            index=models.Index(fields=["source", "-id"], name="release_check_source"),
        ),
        migrations.AddIndex(
            model_name="releasecheck",
            index=models.Index(
                condition=models.Q(("state__in", ("waiting", "running"))),
                fields=["id"],
                name="release_check_progress",
            ),
        ),
        migrations.AddConstraint(
            model_name="releasecheckmessage",
            constraint=models.UniqueConstraint(
                fields=("check_run", "message_id"), name="release_check_message"
            ),
        ),
        migrations.AddConstraint(
            model_name="releasecheckorder",
            constraint=models.UniqueConstraint(
                fields=("check_run", "position"), name="release_check_order"
            ),
        ),
    ]
