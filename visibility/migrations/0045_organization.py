"""Add the organization and the set-up link. A change renews the configuration version."""

import django.db.models.deletion
from django.db import migrations, models

CREATE_TRIGGER = """
CREATE TRIGGER organization_changed AFTER INSERT OR UPDATE OR DELETE ON visibility_organization
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_renew_configuration_version();
"""
DROP_TRIGGER = "DROP TRIGGER organization_changed ON visibility_organization;"


class Migration(migrations.Migration):
    dependencies = [("visibility", "0044_order_lanes")]

    operations = [
        migrations.CreateModel(
            name="SetupLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=32)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="setup_link_one_row")
                ],
            },
        ),
        migrations.CreateModel(
            name="Organization",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120)),
                ("time_zone", models.CharField(max_length=60)),
                ("currency", models.CharField(max_length=3)),
                ("week_start", models.CharField(max_length=10)),
                ("fiscal_year_start", models.SmallIntegerField()),
                ("is_checklist_closed", models.BooleanField(default=False)),
                ("version", models.IntegerField(default=1)),
                (
                    "calendar",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="visibility.workcalendar",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="organization_one_row"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("fiscal_year_start__gte", 1), ("fiscal_year_start__lte", 12)
                        ),
                        name="organization_fiscal_year_start",
                    ),
                ],
            },
        ),
        migrations.RunSQL(CREATE_TRIGGER, DROP_TRIGGER),
    ]
