"""KPIs measure messages, polls, alerts and actions: their facts have no order.

Triggers state which records changed; a job measures them. No table is rewritten, and nothing that
was stored earlier is measured: `manage.py rebuild` does that.
"""

import django.db.models.deletion
from django.db import migrations, models

CREATE_TRIGGERS = """
CREATE FUNCTION visibility_record_message_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO visibility_kpirecordchange (kind, record_id, received_at)
    SELECT 'message', n.id, n.received_at FROM new_rows n
    JOIN old_rows o ON o.id = n.id
    WHERE n.state <> 'waiting' AND (o.received_at, o.state, o.reason, o.processed_at)
        IS DISTINCT FROM (n.received_at, n.state, n.reason, n.processed_at);
    RETURN NULL;
END $$;
CREATE TRIGGER message_settled AFTER UPDATE ON visibility_inbound_message
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_record_message_changes();
CREATE FUNCTION visibility_record_changes_of_records() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO visibility_kpirecordchange (kind, record_id) SELECT TG_ARGV[0], id FROM new_rows;
    RETURN NULL;
END $$;
CREATE TRIGGER poll_ended AFTER INSERT ON visibility_pollround
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_record_changes_of_records('poll');
CREATE TRIGGER alert_added AFTER INSERT ON visibility_alert
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_record_changes_of_records('alert');
CREATE TRIGGER alert_changed AFTER UPDATE ON visibility_alert
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_record_changes_of_records('alert');
CREATE TRIGGER alert_entry_added AFTER INSERT ON visibility_alertentry
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_record_changes_of_records('action');
"""
DROP_TRIGGERS = """
DROP TRIGGER alert_entry_added ON visibility_alertentry;
DROP TRIGGER alert_changed ON visibility_alert;
DROP TRIGGER alert_added ON visibility_alert;
DROP TRIGGER poll_ended ON visibility_pollround;
DROP FUNCTION visibility_record_changes_of_records();
DROP TRIGGER message_settled ON visibility_inbound_message;
DROP FUNCTION visibility_record_message_changes();
DELETE FROM visibility_kpifact WHERE order_id IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("visibility", "0022_message_body_partitions")]

    operations = [
        migrations.AlterField(
            "kpifact",
            "order",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="visibility.businessobject",
            ),
        ),
        migrations.CreateModel(
            name="KpiRecordChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=20)),
                ("record_id", models.BigIntegerField()),
                ("received_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="PollRound",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("ended_at", models.DateTimeField()),
                ("error", models.TextField(default="")),
                ("is_throttled", models.BooleanField(default=False)),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.source",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["ended_at"], name="poll_round_ended")],
            },
        ),
        migrations.RunSQL(CREATE_TRIGGERS, DROP_TRIGGERS),
    ]
