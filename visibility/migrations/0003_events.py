"""Canonical events and the objects they name."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import visibility.models.choices

# Partitioned by month, with a default partition for every other time. `source_id` has no foreign
# key: each insert would lock the row of the source, and sources are never deleted.
CREATE_EVENTS = """
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
    superseded boolean NOT NULL DEFAULT false,
    PRIMARY KEY (id, occurred_at),
    UNIQUE (source_id, key, content_hash, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX event_message ON visibility_event (message_id);
CREATE INDEX event_occurred ON visibility_event (occurred_at);
CREATE INDEX event_unmapped ON visibility_event (source_id, (data->>'raw_type'))
    WHERE type = 'unmapped';
CREATE TABLE visibility_event_default PARTITION OF visibility_event DEFAULT;
SELECT visibility_make_partition('visibility_event',
    (date_trunc('month', now()) + n * interval '1 month')::date)
FROM generate_series(-12, 3) AS n;
"""
DROP_EVENTS = """
DROP TABLE visibility_event;
DROP SEQUENCE visibility_event_id;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0002_identity"),
    ]

    operations = [
        migrations.CreateModel(
            name="Event",
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
                ("key", models.TextField()),
                ("content_hash", models.CharField(max_length=64)),
                (
                    "type",
                    models.CharField(choices=visibility.models.choices.event_types, max_length=40),
                ),
                ("occurred_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                (
                    "recorded_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("message_id", models.BigIntegerField()),
                ("data", models.JSONField()),
                ("superseded", models.BooleanField(default=False)),
            ],
            options={
                "db_table": "visibility_event",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="EventObjectLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "object",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.businessobject",
                    ),
                ),
                ("event_id", models.BigIntegerField()),
                ("occurred_at", models.DateTimeField()),
                ("ref", models.SmallIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["event_id"], name="event_object_link_event")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("object", "event_id", "ref"), name="event_object_link_unique"
                    )
                ],
            },
        ),
        migrations.RunSQL(CREATE_EVENTS, DROP_EVENTS),
    ]
