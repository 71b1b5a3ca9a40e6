"""Record changes of the fields of messages. Which fields every message has is learned again."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("visibility", "0071_poll_limits_and_secret_ends"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.RunSQL(
            [
                "DELETE FROM visibility_sourcefield",
                "DELETE FROM visibility_sourcefieldsample",
            ],
            migrations.RunSQL.noop,
        ),
        migrations.AddField(
            model_name="sourcefield",
            name="is_always_present",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="sourcefield",
            name="first_message_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name="SourceFieldChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("event_type", models.CharField(blank=True, default="", max_length=40)),
                ("path", models.CharField(max_length=200)),
                (
                    "change",
                    models.CharField(
                        choices=[
                            ("appeared", "Appeared"),
                            ("retyped", "Retyped"),
                            ("missing", "Missing"),
                        ],
                        max_length=10,
                    ),
                ),
                ("kind", models.CharField(blank=True, default="", max_length=10)),
                ("kind_before", models.CharField(blank=True, default="", max_length=40)),
                ("message_id", models.BigIntegerField()),
                ("seen_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                (
                    "accepted_by",
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
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.source",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "event_type", "path", "change", "kind"),
                        name="source_field_change_unique",
                    )
                ],
            },
        ),
    ]
