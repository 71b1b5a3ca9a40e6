"""Sources and their messages."""

import datetime

import django.db.models.deletion
import django.db.models.functions.datetime
from django.contrib.postgres.operations import BtreeGistExtension, TrigramExtension
from django.db import migrations, models

import visibility.models.choices

# Creates the partition of one month, unless it exists. The hourly job calls it ahead of time.
MAKE_PARTITION = """
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
END $$
"""
# Partitioned by month, with a default partition for every other time. `source_id` has no foreign
# key: each insert would lock the row of the source, and sources are never deleted.
CREATE_MESSAGES = """
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
CREATE TABLE visibility_inbound_message_default PARTITION OF visibility_inbound_message DEFAULT;
SELECT visibility_make_partition('visibility_inbound_message',
    (date_trunc('month', now()) + n * interval '1 month')::date)
FROM generate_series(0, 3) AS n;
"""
DROP_MESSAGES = """
DROP TABLE visibility_inbound_message;
DROP SEQUENCE visibility_inbound_message_id;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        # Trigram indexes serve the search; btree_gist serves the exclusion constraints.
        TrigramExtension(),
        BtreeGistExtension(),
        migrations.CreateModel(
            name="Source",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("title", models.CharField(max_length=120)),
                ("connector", models.CharField(max_length=60)),
                (
                    "role",
                    models.CharField(choices=visibility.models.choices.source_roles, max_length=20),
                ),
                ("config", models.JSONField(default=dict)),
                ("sealed_secrets", models.TextField(blank=True, default="")),
                ("enabled", models.BooleanField(default=True)),
                ("owner", models.CharField(blank=True, default="", max_length=80)),
                (
                    "expect_every",
                    models.DurationField(default=datetime.timedelta(seconds=3600), null=True),
                ),
                ("poll_every", models.DurationField(default=datetime.timedelta(seconds=60))),
                ("next_poll_at", models.DateTimeField(null=True)),
                ("poll_error", models.TextField(blank=True, default="")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "changed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Cursor",
            fields=[
                (
                    "source",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        serialize=False,
                        to="visibility.source",
                    ),
                ),
                ("value", models.TextField(default="")),
                (
                    "moved_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.CreateModel(
            name="InboundMessage",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.source",
                    ),
                ),
                ("received_at", models.DateTimeField()),
                ("dedupe_key", models.TextField()),
                ("content_hash", models.CharField(max_length=64)),
                ("headers", models.JSONField(default=dict)),
                ("body", models.BinaryField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("applied", "Applied"),
                            ("parked", "Parked"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=visibility.models.choices.parking_reasons, max_length=20
                    ),
                ),
                ("detail", models.TextField(default="")),
                ("attempts", models.IntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(null=True)),
                ("processed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "visibility_inbound_message",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="MessageKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.source",
                    ),
                ),
                ("dedupe_key", models.TextField()),
                ("content_hash", models.CharField(max_length=64)),
                ("message_id", models.BigIntegerField()),
                ("received_at", models.DateTimeField()),
                ("duplicate_count", models.IntegerField(default=0)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["message_id"], name="message_key_message"),
                    models.Index(
                        condition=models.Q(("duplicate_count__gt", 0)),
                        fields=["source"],
                        name="message_key_duplicated",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "dedupe_key", "content_hash"), name="message_key_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RejectedRequestCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.CharField(max_length=60)),
                ("status", models.IntegerField()),
                ("hour", models.DateTimeField()),
                ("count", models.BigIntegerField(default=0)),
                ("last_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("slug", "status", "hour"), name="rejected_request_count_unique"
                    )
                ],
            },
        ),
        migrations.RunSQL(MAKE_PARTITION, "DROP FUNCTION visibility_make_partition(text, date)"),
        migrations.RunSQL(CREATE_MESSAGES, DROP_MESSAGES),
    ]
