"""Targets of KPIs that administrators set."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0048_channels_and_mail_server"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="KpiTarget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kpi", models.CharField(max_length=60)),
                ("value", models.DecimalField(decimal_places=6, max_digits=20)),
                ("dimension", models.CharField(default="", max_length=20)),
                ("dimension_value", models.CharField(default="", max_length=250)),
                ("first_day", models.DateField()),
                ("last_day", models.DateField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "created_by",
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
                "indexes": [
                    models.Index(fields=["kpi", "-first_day", "-id"], name="kpi_target_kpi")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("value__gt", 0)), name="kpi_target_value"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("dimension", ""), ("dimension_value", "")),
                            models.Q(
                                models.Q(("dimension", ""), _negated=True),
                                models.Q(("dimension_value", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="kpi_target_scope",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("last_day__isnull", True),
                            ("last_day__gte", models.F("first_day")),
                            _connector="OR",
                        ),
                        fields=("kpi", "dimension", "dimension_value", "first_day"),
                        name="kpi_target_first_day_unique",
                    ),
                ],
            },
        ),
    ]
