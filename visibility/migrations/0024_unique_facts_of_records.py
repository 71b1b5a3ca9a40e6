"""A record has one fact in a KPI. The index is built without blocking the workers."""

from django.db import migrations, models
from django.db.models import Q

# Each statement can be repeated if the migration is interrupted.
UPGRADE = [
    "DROP INDEX CONCURRENTLY IF EXISTS kpi_fact_record_unique",
    "CREATE UNIQUE INDEX CONCURRENTLY kpi_fact_record_unique"
    " ON visibility_kpifact (kpi, subject_key) WHERE order_id IS NULL",
]
DOWNGRADE = ["DROP INDEX kpi_fact_record_unique"]


class Migration(migrations.Migration):
    # CREATE INDEX CONCURRENTLY cannot run in a transaction.
    atomic = False

    dependencies = [("visibility", "0023_measured_records")]

    operations = [
        migrations.RunSQL(
            [*UPGRADE],
            [*DOWNGRADE],
            state_operations=[
                migrations.AddConstraint(
                    "kpifact",
                    models.UniqueConstraint(
                        fields=["kpi", "subject_key"],
                        condition=Q(order__isnull=True),
                        name="kpi_fact_record_unique",
                    ),
                ),
            ],
        ),
    ]
