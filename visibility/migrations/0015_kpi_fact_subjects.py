"""An order has several facts in one KPI. The index is built without blocking the workers."""

from django.db import migrations, models

# Each statement can be repeated if the migration is interrupted.
UPGRADE = [
    "ALTER TABLE visibility_kpifact DROP CONSTRAINT IF EXISTS kpi_fact_subject_unique",
    "DROP INDEX CONCURRENTLY IF EXISTS kpi_fact_subject_unique",
    "CREATE UNIQUE INDEX CONCURRENTLY kpi_fact_subject_unique"
    " ON visibility_kpifact (order_id, kpi, subject_key)",
    "ALTER TABLE visibility_kpifact ADD CONSTRAINT kpi_fact_subject_unique"
    " UNIQUE USING INDEX kpi_fact_subject_unique",
    "ALTER TABLE visibility_kpifact DROP CONSTRAINT IF EXISTS kpi_fact_unique",
]
DOWNGRADE = [
    "DELETE FROM visibility_kpifact WHERE subject_key <> ''",
    "ALTER TABLE visibility_kpifact ADD CONSTRAINT kpi_fact_unique UNIQUE (order_id, kpi)",
    "ALTER TABLE visibility_kpifact DROP CONSTRAINT kpi_fact_subject_unique",
]


class Migration(migrations.Migration):
    # CREATE INDEX CONCURRENTLY cannot run in a transaction.
    atomic = False

    dependencies = [
        ("visibility", "0014_kpi_families"),
    ]

    operations = [
        migrations.RunSQL(
            [*UPGRADE],
            [*DOWNGRADE],
            state_operations=[
                migrations.RemoveConstraint("kpifact", "kpi_fact_unique"),
                migrations.AddConstraint(
                    "kpifact",
                    models.UniqueConstraint(
                        fields=["order", "kpi", "subject_key"], name="kpi_fact_subject_unique"
                    ),
                ),
            ],
        ),
    ]
