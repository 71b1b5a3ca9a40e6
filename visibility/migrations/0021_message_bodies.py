"""A table of its own for the bodies of messages, partitioned by month, so that old ones can go.

New messages store their body there at once. Bodies of older messages stay in their column, which
is read too, until a job has moved them (`visibility/ingest/move_message_bodies.py`).
"""

import django.db.models.functions.datetime
from django.db import migrations, models

# A month whose rows already lie in the default partition gets no partition of its own; that stops
# neither the other months nor the other tables.
MAKE_PARTITION = """
CREATE OR REPLACE FUNCTION visibility_make_partition(parent text, month date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    start date := date_trunc('month', month)::date;
    name text := parent || to_char(start, '_YYYY_MM');
BEGIN
    IF to_regclass(name) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            name, parent, start::text || ' 00:00:00+00',
            (start + interval '1 month')::date::text || ' 00:00:00+00');
    END IF;
EXCEPTION WHEN check_violation THEN
    RAISE WARNING '% has rows of % in its default partition', parent, start;
END $$
"""
# The months of the messages get partitions now, so that moving a body never creates a table.
CREATE_BODIES = """
SET LOCAL lock_timeout = '2s';
ALTER TABLE visibility_inbound_message ALTER COLUMN body DROP NOT NULL;
CREATE TABLE visibility_message_body (
    message_id bigint NOT NULL,
    received_at timestamptz NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (message_id, received_at)
) PARTITION BY RANGE (received_at);
CREATE TABLE visibility_message_body_default PARTITION OF visibility_message_body DEFAULT;
SELECT visibility_make_partition('visibility_message_body', to_date(right(c.relname, 7), 'YYYY_MM'))
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'visibility_inbound_message'::regclass AND c.relname ~ '_[0-9]{4}_[0-9]{2}$';
SELECT visibility_make_partition('visibility_message_body',
    (date_trunc('month', now()) + n * interval '1 month')::date)
FROM generate_series(0, 3) AS n;
"""
RETURN_BODIES = """
UPDATE visibility_inbound_message m SET body = coalesce(
    (SELECT b.body FROM visibility_message_body b
        WHERE b.message_id = m.id AND b.received_at = m.received_at), '')
WHERE m.body IS NULL;
ALTER TABLE visibility_inbound_message ALTER COLUMN body SET NOT NULL;
DROP TABLE visibility_message_body;
"""
# Where the job begins and, for now, ends: the messages of the older version.
BEGIN_MOVE = """
INSERT INTO visibility_messagebodymove (id, next_id, last_id)
SELECT 1, min(id), max(id) FROM visibility_inbound_message HAVING max(id) IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("visibility", "0020_audit_head_and_heartbeats")]

    operations = [
        migrations.RunSQL(MAKE_PARTITION, migrations.RunSQL.noop),
        migrations.RunSQL(CREATE_BODIES, RETURN_BODIES),
        migrations.RenameField(
            model_name="inboundmessage", old_name="body", new_name="unmoved_body"
        ),
        migrations.AlterField(
            model_name="inboundmessage",
            name="unmoved_body",
            field=models.BinaryField(db_column="body", null=True),
        ),
        migrations.CreateModel(
            name="MessageBody",
            fields=[
                ("message_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("received_at", models.DateTimeField()),
                ("body", models.BinaryField()),
            ],
            options={"db_table": "visibility_message_body", "managed": False},
        ),
        migrations.CreateModel(
            name="MessageBodyMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("next_id", models.BigIntegerField()),
                ("last_id", models.BigIntegerField()),
                (
                    "started_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.RunSQL(BEGIN_MOVE, migrations.RunSQL.noop),
    ]
