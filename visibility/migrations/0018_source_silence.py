"""How far the reports of each source go, and silence limits that people set.

The limits that the column `expect_every` has become settings, so that the page shows and changes
them. The activity of each source starts with its newest applied message: one bounded read of an
index per source, without locks on the messages.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

# The default is 26 h for sources with a drop folder; it was one hour for all, and there was no
# setting. Other values were written to the database by hand.
LIMITS_TO_SETTINGS = """
UPDATE visibility_source
SET config = config || jsonb_build_object('silent_after', CASE
    WHEN expect_every IS NULL THEN 'never'
    ELSE round(extract(epoch FROM expect_every))::bigint || ' s' END)
WHERE jsonb_typeof(config) = 'object' AND NOT config ? 'silent_after'
    AND (expect_every IS NULL OR (expect_every <> interval '1 hour'
        AND expect_every BETWEEN interval '1 minute' AND interval '11 days'));
UPDATE visibility_source SET expect_every = interval '26 hours'
WHERE expect_every = interval '1 hour' AND jsonb_typeof(config) = 'object' AND config ? 'drop';
"""
NEWEST_APPLIED = """
INSERT INTO visibility_sourceactivity (source_id, event_type, last_received_at, newest_event_at)
SELECT source.id, '', applied.received_at, (
    SELECT max(least(event.occurred_at, applied.received_at)) FROM visibility_event event
    WHERE event.message_id = applied.id AND event.type <> 'inventory.snapshot'
)
FROM visibility_source source CROSS JOIN LATERAL (
    SELECT id, received_at FROM (
        SELECT id, received_at, state FROM visibility_inbound_message message
        WHERE message.source_id = source.id AND received_at > now() - interval '31 days'
        ORDER BY received_at DESC LIMIT 1000
    ) newest WHERE state = 'applied' ORDER BY received_at DESC LIMIT 1
) applied
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("visibility", "0017_shared_identifiers")]

    operations = [
        migrations.AddField(
            model_name="source",
            name="polled_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="slaclock",
            name="sources_are_known",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name="SourceActivity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "event_type",
                    models.CharField(blank=True, db_default="", default="", max_length=40),
                ),
                ("last_received_at", models.DateTimeField(null=True)),
                ("newest_event_at", models.DateTimeField(null=True)),
                ("watched_since", models.DateTimeField(db_default=Now())),
                ("resumed_at", models.DateTimeField(null=True)),
                ("backlog_applied_at", models.DateTimeField(null=True)),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "event_type"), name="source_activity_unique"
                    )
                ],
            },
        ),
        migrations.RunSQL(LIMITS_TO_SETTINGS, migrations.RunSQL.noop),
        migrations.RunSQL(NEWEST_APPLIED, migrations.RunSQL.noop),
    ]
