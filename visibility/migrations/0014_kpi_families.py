"""KPI facts of orders, lines and events, with intervals and all dimensions.

No table is rewritten. The cells of the groupings that are still stored get their new bitmask. Every
day is counted again by the job, for the new groupings; until then, pages read the cells that exist.
Facts of undelivered orders become facts of a stock KPI. Those of orders that were delivered before
the upgrade, and the new dimensions of old facts, are written by `manage.py rebuild`.
"""

from django.db import migrations, models

DIMENSIONS = "channel, warehouse, customer_group, customer, carrier, item, supplier, source"
TRIGGER_FUNCTION = """
CREATE OR REPLACE FUNCTION visibility_record_kpi_fact_changes() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO visibility_kpifactchange (kpi, day, {dimensions},
            weight, numerator, denominator, excluded, uncountable)
        SELECT kpi, day, {dimensions}, -1, numerator, denominator, excluded, uncountable
        FROM old_facts;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO visibility_kpifactchange (kpi, day, {dimensions},
            weight, numerator, denominator, excluded, uncountable)
        SELECT kpi, day, {dimensions}, 1, numerator, denominator, excluded, uncountable
        FROM new_facts;
    END IF;
    RETURN NULL;
END $$;
"""
RECORD_ALL_DIMENSIONS = TRIGGER_FUNCTION.format(dimensions=DIMENSIONS)
RECORD_EARLIER_DIMENSIONS = TRIGGER_FUNCTION.format(dimensions="channel, warehouse, customer_group")
# The earlier version has no facts of delivered orders in this KPI, and no facts of events.
UPGRADE_ROWS = """
UPDATE visibility_kpicell SET grouping = grouping + 248 WHERE grouping IN (1, 3, 5, 6, 7);
UPDATE visibility_kpifact fact
SET kpi = 'undelivered_orders', numerator = NULL, started_at = o.ordered_at
FROM visibility_order o WHERE fact.kpi = 'undelivered' AND o.object_id = fact.order_id;
INSERT INTO visibility_kpirecountrequest (kpi, day)
SELECT kpi, day FROM visibility_kpicell UNION SELECT kpi, day FROM visibility_kpifactchange;
"""
DOWNGRADE_ROWS = """
DELETE FROM visibility_kpifact
WHERE kpi = 'undelivered_orders' AND (numerator IS NOT NULL OR excluded <> '');
UPDATE visibility_kpifact SET kpi = 'undelivered', numerator = 1 WHERE kpi = 'undelivered_orders';
DELETE FROM visibility_kpicell;
DELETE FROM visibility_kpifactchange;
INSERT INTO visibility_kpirecountrequest (kpi, day)
SELECT DISTINCT kpi, day FROM visibility_kpifact;
"""
CELL_KEYS = ["grouping", "kpi", "day", *DIMENSIONS.split(", ")]
NEW_DIMENSIONS = {"customer": 100, "carrier": 100, "item": 250, "supplier": 100, "source": 100}


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0013_configuration_version"),
    ]

    operations = [
        *(
            migrations.AddField(
                model, name, models.CharField(max_length=length, db_default="", default="")
            )
            for model in ("kpifact", "kpifactchange", "kpicell")
            for name, length in NEW_DIMENSIONS.items()
        ),
        migrations.AddField(
            "kpifact", "subject_key", models.CharField(max_length=300, db_default="", default="")
        ),
        migrations.AddField("kpifact", "started_at", models.DateTimeField(null=True)),
        migrations.AddField("kpifact", "ended_at", models.DateTimeField(null=True)),
        migrations.RemoveConstraint("kpicell", "kpi_cell_unique"),
        migrations.AddConstraint(
            "kpicell",
            models.UniqueConstraint(fields=CELL_KEYS, name="kpi_cell_dimensions_unique"),
        ),
        migrations.RunSQL(RECORD_ALL_DIMENSIONS, RECORD_EARLIER_DIMENSIONS),
        migrations.RunSQL(UPGRADE_ROWS, DOWNGRADE_ROWS),
    ]
