"""Record since when a source fails, and the KPIs that fail for an order."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# So far the error of a drop folder was stored as a poll error.
MOVE_FILE_ERRORS = """
UPDATE visibility_source SET file_error = poll_error, poll_error = ''
WHERE poll_error <> '' AND next_poll_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0008_boards_and_audit"),
    ]

    operations = [
        migrations.AddField(
            model_name="source",
            name="catching_up_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="source",
            name="failing_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="source",
            name="file_error",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="source",
            name="poll_round",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="source",
            name="recovered_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="source",
            name="throttled_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="FailedKpi",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kpi", models.CharField(max_length=60)),
                ("version", models.IntegerField()),
                ("error", models.TextField()),
                (
                    "failed_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="visibility.businessobject"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["kpi"], name="failed_kpi_kpi")],
                "constraints": [
                    models.UniqueConstraint(fields=("order", "kpi"), name="failed_kpi_unique")
                ],
            },
        ),
        migrations.RunSQL(MOVE_FILE_ERRORS, migrations.RunSQL.noop),
    ]
