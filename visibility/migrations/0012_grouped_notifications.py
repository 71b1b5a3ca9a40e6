"""Notifications that go in one message."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Both columns may be empty: the release before writes none."""

    dependencies = [
        ("visibility", "0011_failed_clock"),
    ]

    operations = [
        migrations.AddField(
            model_name="notification",
            name="batch",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="told_at",
            field=models.DateTimeField(null=True),
        ),
    ]
