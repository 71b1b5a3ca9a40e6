"""Typed settings and encrypted secrets of subscriptions, and the result of their last message."""

from django.db import migrations, models

FILL_SETTINGS = """
UPDATE visibility_subscription SET channel_settings = jsonb_build_object('address', address)
WHERE address <> '' AND channel_settings = '{}'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0015_kpi_fact_subjects"),
    ]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="accepted_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="channel_settings",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name="subscription",
            name="delivery_error",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="subscription",
            name="removed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="sealed_secrets",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AlterField(
            model_name="notification",
            name="state",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("sent", "Sent"),
                    ("written", "Written"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                ],
                default="pending",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="subscription",
            name="address",
            field=models.CharField(db_default="", default="", max_length=250),
        ),
        migrations.RunSQL(FILL_SETTINGS, migrations.RunSQL.noop),
    ]
