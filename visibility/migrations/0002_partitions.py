"""The two tables that grow for ever, partitioned by time from the first day.

A partition a month is made by `visibility_make_partition`, called ahead of time by the hourly
task and here for a year; what fits nowhere goes to the default partition. `source_id` has no
foreign key here: each insert would lock the source's row; sources are never deleted.
"""

from django.db import migrations

FORWARD = """
CREATE SEQUENCE visibility_inbound_message_id;
CREATE TABLE visibility_inbound_message (
    id bigint NOT NULL DEFAULT nextval('visibility_inbound_message_id'),
    source_id bigint NOT NULL,
    received_at timestamptz NOT NULL,
    dedupe_key text NOT NULL,
    content_hash char(64) NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    state varchar(10) NOT NULL CHECK (state IN ('waiting', 'applied', 'parked')),
    reason varchar(20) NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    processed_at timestamptz,
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX inbound_message_waiting ON visibility_inbound_message (id) WHERE state = 'waiting';
CREATE INDEX inbound_message_parked ON visibility_inbound_message (source_id, reason, id)
    WHERE state = 'parked';
CREATE INDEX inbound_message_source ON visibility_inbound_message (source_id, received_at);
CREATE TABLE visibility_inbound_message_rest PARTITION OF visibility_inbound_message DEFAULT;

CREATE SEQUENCE visibility_event_id;
CREATE TABLE visibility_event (
    id bigint NOT NULL DEFAULT nextval('visibility_event_id'),
    source_id bigint NOT NULL,
    key text NOT NULL,
    content_hash char(64) NOT NULL,
    type varchar(40) NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    message_id bigint NOT NULL,
    data jsonb NOT NULL,
    withdrawn boolean NOT NULL DEFAULT false,
    PRIMARY KEY (id, occurred_at),
    UNIQUE (source_id, key, content_hash, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX event_message ON visibility_event (message_id);
CREATE INDEX event_occurred ON visibility_event (occurred_at);
CREATE TABLE visibility_event_rest PARTITION OF visibility_event DEFAULT;

CREATE FUNCTION visibility_make_partition(parent text, month date) RETURNS void
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
END $$;
SELECT visibility_make_partition(
    parent, (date_trunc('month', now()) + n * interval '1 month')::date)
FROM (VALUES ('visibility_inbound_message', 0), ('visibility_event', -12)) AS t (parent, first),
    LATERAL generate_series(t.first, 3) AS n;

CREATE FUNCTION visibility_audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only';
END $$;
CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON visibility_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_audit_is_kept();
"""
BACK = """
DROP TRIGGER audit_is_kept ON visibility_auditentry;
DROP FUNCTION visibility_audit_is_kept();
DROP FUNCTION visibility_make_partition(text, date);
DROP TABLE visibility_event, visibility_inbound_message;
DROP SEQUENCE visibility_event_id, visibility_inbound_message_id;
"""


class Migration(migrations.Migration):
    """Partitions, their sequences, the audit's trigger."""

    dependencies = [("visibility", "0001_first")]
    operations = [migrations.RunSQL(FORWARD, BACK)]
