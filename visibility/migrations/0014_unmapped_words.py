"""From each word that nobody has mapped to the next, by index."""

from django.db import migrations


class Migration(migrations.Migration):
    """Partial: events of known types are not in it."""

    dependencies = [
        ("visibility", "0013_finished_slices"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX event_unmapped ON visibility_event (source_id, (data->>'raw_type')) "
            "WHERE type = 'unmapped'",
            "DROP INDEX event_unmapped",
        ),
    ]
