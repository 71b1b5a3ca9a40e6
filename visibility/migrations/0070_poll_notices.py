"""Record when the latest poll of a source began and ended, and when a notice asked for one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0066_queue_connections"),
    ]

    operations = [
        migrations.AddField(
            model_name="source",
            name="poll_ended_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="source",
            name="poll_requested_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="source",
            name="poll_started_at",
            field=models.DateTimeField(null=True),
        ),
    ]
