"""Clocks that a rule could not set or judge, and why."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """One row per order and rule that fails."""

    dependencies = [
        ("visibility", "0010_count_aside"),
    ]

    operations = [
        migrations.CreateModel(
            name="FailedClock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("obligation", models.TextField(default="")),
                ("error", models.TextField()),
                ("setup", models.CharField(max_length=16)),
                (
                    "failed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="visibility.businessobject"
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="visibility.slarule"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("order", "rule", "obligation"), name="failed_clock_once"
                    )
                ],
            },
        ),
    ]
