"""Store which version of its connector read each event."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("visibility", "0079_release_checks")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="EventReader",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80, unique=True)),
            ],
        ),
        # Event is a table that Django does not manage. A column that may be null is added without
        # rewriting the rows.
        migrations.RunSQL(
            "ALTER TABLE visibility_event ADD COLUMN reader_id integer",
            "ALTER TABLE visibility_event DROP COLUMN reader_id",
        ),
    ]
