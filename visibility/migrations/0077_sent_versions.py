"""Record the versions that messages name."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("visibility", "0075_telemetry")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="SentVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                ("version", models.CharField(max_length=80)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                ("message_count", models.BigIntegerField()),
                ("first_message_id", models.BigIntegerField()),
                ("last_message_id", models.BigIntegerField()),
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
                        fields=("source", "name", "version"), name="sent_version_unique"
                    )
                ],
            },
        ),
    ]
