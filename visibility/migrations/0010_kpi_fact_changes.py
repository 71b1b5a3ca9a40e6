"""KPI cells are updated by adding the changes of their facts.

The cells of the earlier version stay valid: what they lack is in its requests, which are copied.
A worker of that version may run a little longer. It then sums whole days, which include changes
that are not added yet, so its requests are copied when it
makes and when it settles them: those days are counted again. The table
of its requests is dropped by a later release.
"""

from django.db import migrations, models

CREATE_TRIGGERS = """
CREATE FUNCTION visibility_record_kpi_fact_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO visibility_kpifactchange (kpi, day, channel, warehouse, customer_group,
            weight, numerator, denominator, excluded, uncountable)
        SELECT kpi, day, channel, warehouse, customer_group,
            -1, numerator, denominator, excluded, uncountable
        FROM old_facts;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO visibility_kpifactchange (kpi, day, channel, warehouse, customer_group,
            weight, numerator, denominator, excluded, uncountable)
        SELECT kpi, day, channel, warehouse, customer_group,
            1, numerator, denominator, excluded, uncountable
        FROM new_facts;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER kpi_fact_inserted AFTER INSERT ON visibility_kpifact
    REFERENCING NEW TABLE AS new_facts
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_record_kpi_fact_changes();
CREATE TRIGGER kpi_fact_updated AFTER UPDATE ON visibility_kpifact
    REFERENCING OLD TABLE AS old_facts NEW TABLE AS new_facts
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_record_kpi_fact_changes();
CREATE TRIGGER kpi_fact_deleted AFTER DELETE ON visibility_kpifact
    REFERENCING OLD TABLE AS old_facts
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_record_kpi_fact_changes();

CREATE FUNCTION visibility_copy_kpi_recompute_requests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO visibility_kpirecountrequest (kpi, day)
    SELECT DISTINCT kpi, day FROM new_requests;
    RETURN NULL;
END $$;
CREATE TRIGGER kpi_recompute_requested AFTER INSERT ON visibility_kpirecomputerequest
    REFERENCING NEW TABLE AS new_requests
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_copy_kpi_recompute_requests();
CREATE FUNCTION visibility_copy_settled_kpi_requests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO visibility_kpirecountrequest (kpi, day)
    SELECT DISTINCT kpi, day FROM old_requests;
    RETURN NULL;
END $$;
CREATE TRIGGER kpi_recompute_settled AFTER DELETE ON visibility_kpirecomputerequest
    REFERENCING OLD TABLE AS old_requests
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_copy_settled_kpi_requests();
INSERT INTO visibility_kpirecountrequest (kpi, day)
SELECT DISTINCT kpi, day FROM visibility_kpirecomputerequest;
"""
# The earlier version sums each day again that has changes or a request.
DROP_TRIGGERS = """
DROP TRIGGER kpi_recompute_settled ON visibility_kpirecomputerequest;
DROP FUNCTION visibility_copy_settled_kpi_requests();
DROP TRIGGER kpi_recompute_requested ON visibility_kpirecomputerequest;
DROP FUNCTION visibility_copy_kpi_recompute_requests();
DROP TRIGGER kpi_fact_inserted ON visibility_kpifact;
DROP TRIGGER kpi_fact_updated ON visibility_kpifact;
DROP TRIGGER kpi_fact_deleted ON visibility_kpifact;
DROP FUNCTION visibility_record_kpi_fact_changes();
INSERT INTO visibility_kpirecomputerequest (kpi, day)
SELECT kpi, day FROM visibility_kpifact UNION SELECT kpi, day FROM visibility_kpicell;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0009_source_and_kpi_failures"),
    ]

    operations = [
        migrations.CreateModel(
            name="KpiFactChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kpi", models.CharField(max_length=60)),
                ("day", models.DateField()),
                ("channel", models.CharField(max_length=60)),
                ("warehouse", models.CharField(max_length=100)),
                ("customer_group", models.CharField(max_length=100)),
                ("weight", models.SmallIntegerField()),
                ("numerator", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("denominator", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("excluded", models.CharField(max_length=40)),
                ("uncountable", models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name="KpiRecountRequest",
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
        migrations.RunSQL(CREATE_TRIGGERS, DROP_TRIGGERS),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.DeleteModel("KpiRecomputeRequest")]
        ),
    ]
