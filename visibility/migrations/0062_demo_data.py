"""Add the demo data that an administrator loads and removes, and mark its sources."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0061_identity_provider"),
    ]

    operations = [
        migrations.AddField(
            model_name="source",
            name="is_demo",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name="DemoData",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("state", models.CharField(max_length=10)),
                ("ends_at", models.DateTimeField()),
                ("prefix", models.CharField(max_length=20)),
                ("sent", models.IntegerField(default=0)),
                ("total", models.IntegerField(null=True)),
                (
                    "rule_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "calendar_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "team_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("removal_starts_at", models.DateTimeField(null=True)),
                ("removed", models.IntegerField(default=0)),
                ("to_remove", models.IntegerField(default=0)),
                ("error", models.CharField(default="", max_length=300)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="demo_data_one_row")
                ],
            },
        ),
    ]
