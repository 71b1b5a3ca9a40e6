"""KPI facts and cells."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0005_sla_and_alerts"),
    ]

    operations = [
        migrations.CreateModel(
            name="KpiFact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="visibility.businessobject"
                    ),
                ),
                ("kpi", models.CharField(max_length=60)),
                ("version", models.IntegerField()),
                ("day", models.DateField()),
                ("channel", models.CharField(max_length=60)),
                ("warehouse", models.CharField(max_length=100)),
                ("customer_group", models.CharField(max_length=100)),
                ("numerator", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("denominator", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("excluded", models.CharField(default="", max_length=40)),
                ("uncountable", models.JSONField(default=dict)),
            ],
            options={
                "indexes": [models.Index(fields=["kpi", "day"], name="kpi_fact_day")],
                "constraints": [
                    models.UniqueConstraint(fields=("order", "kpi"), name="kpi_fact_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="KpiCell",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("grouping", models.SmallIntegerField()),
                ("kpi", models.CharField(max_length=60)),
                ("day", models.DateField()),
                ("channel", models.CharField(max_length=60)),
                ("warehouse", models.CharField(max_length=100)),
                ("customer_group", models.CharField(max_length=100)),
                ("orders", models.IntegerField()),
                ("numerator", models.DecimalField(decimal_places=6, max_digits=32)),
                ("denominator", models.DecimalField(decimal_places=6, max_digits=32)),
                (
                    "buckets",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), default=list, size=None
                    ),
                ),
                (
                    "counts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.IntegerField(), default=list, size=None
                    ),
                ),
                ("excluded", models.JSONField(default=dict)),
                ("uncountable", models.JSONField(default=dict)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("grouping", "kpi", "day", "channel", "warehouse", "customer_group"),
                        name="kpi_cell_unique",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="KpiRecomputeRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kpi", models.CharField(max_length=60)),
                ("day", models.DateField()),
            ],
        ),
    ]
