"""Checks of the orders after a change of a rule, and why an alert was closed."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("visibility", "0018_source_silence")]

    operations = [
        migrations.CreateModel(
            name="RuleRecheck",
            fields=[
                (
                    "rule",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="visibility.slarule",
                    ),
                ),
                ("fingerprint", models.CharField(max_length=16)),
                ("rule_version", models.IntegerField()),
                ("started_at", models.DateTimeField()),
                ("open_orders_checked_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("batch_after", models.BigIntegerField(default=0)),
                ("batch_end", models.BigIntegerField(default=0)),
                ("batch_size", models.IntegerField(default=0)),
                ("open_done", models.IntegerField(default=0)),
                ("open_total", models.IntegerField(default=0)),
                ("closed_done", models.IntegerField(default=0)),
                ("closed_total", models.IntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name="alert",
            name="closing_reason",
            field=models.CharField(db_default="", default="", max_length=30),
        ),
        migrations.AddField(
            model_name="alert",
            name="title_template",
            field=models.TextField(db_default="", default=""),
        ),
    ]
