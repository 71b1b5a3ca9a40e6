"""Which event withdraws which: an index of the corrections, and those that are effective."""

import django.db.models.deletion
from django.db import migrations, models

# A correction counts in its newest version, as in `split_superseded_events`.
CREATE_VIEW = """
CREATE VIEW visibility_effective_event_correction AS
SELECT c.source_id, c.key, by.id AS event_id, by.occurred_at, by.received_at
FROM visibility_eventcorrection c
JOIN visibility_event by ON by.id = c.event_id AND by.occurred_at = c.occurred_at
    AND NOT by.superseded
WHERE NOT EXISTS (
    SELECT FROM visibility_event newer
    WHERE newer.source_id = by.source_id AND newer.key = by.key AND NOT newer.superseded
        AND (coalesce(newer.data->>'revision', '') COLLATE "C", newer.content_hash COLLATE "C")
            > (coalesce(by.data->>'revision', '') COLLATE "C", by.content_hash COLLATE "C"))
"""


class Migration(migrations.Migration):
    dependencies = [("visibility", "0024_unique_facts_of_records")]

    operations = [
        migrations.CreateModel(
            name="EventCorrection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.TextField()),
                ("correcting_key", models.TextField()),
                ("event_id", models.BigIntegerField()),
                ("occurred_at", models.DateTimeField()),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.source",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["source", "correcting_key"], name="event_correction_correcting"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "key", "event_id"), name="event_correction_unique"
                    )
                ],
            },
        ),
        migrations.RunSQL(CREATE_VIEW, "DROP VIEW visibility_effective_event_correction"),
    ]
