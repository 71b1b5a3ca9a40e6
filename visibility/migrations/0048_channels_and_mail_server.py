"""Add the mail server, the delivery log, and teams, scopes and quiet hours of subscriptions."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0047_alert_mentions_and_demo_tour"),
    ]

    operations = [
        # The lock is short, but behind a long transaction others would wait for it: try again.
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="notification",
            name="postponed_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="critical_at_once",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="digest",
            field=models.CharField(db_default="", default="", max_length=10),
        ),
        migrations.AddField(
            model_name="subscription",
            name="digest_at",
            field=models.TimeField(null=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="disabled_reason",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="subscription",
            name="failing_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="follows_alerts",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="subscription",
            name="quiet_from",
            field=models.TimeField(null=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="quiet_until",
            field=models.TimeField(null=True),
        ),
        migrations.AddField(
            model_name="subscription",
            name="rules",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name="subscription",
            name="scope",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name="subscription",
            name="team",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="visibility.team",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="time_zone",
            field=models.CharField(db_default="", default="", max_length=60),
        ),
        migrations.CreateModel(
            name="MailServer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("host", models.CharField(max_length=253)),
                ("port", models.IntegerField()),
                ("security", models.CharField(max_length=10)),
                ("username", models.CharField(default="", max_length=200)),
                ("sealed_password", models.TextField(default="")),
                ("sender", models.CharField(max_length=250)),
                ("tested_at", models.DateTimeField(null=True)),
                ("version", models.IntegerField(default=1)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="mail_server_one_row"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("port__gte", 1), ("port__lte", 65535)),
                        name="mail_server_port",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DeliveryAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("message_id", models.UUIDField()),
                ("at", models.DateTimeField()),
                ("number", models.IntegerField()),
                ("alerts", models.IntegerField()),
                (
                    "notifications",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("is_accepted", models.BooleanField()),
                ("code", models.CharField(db_default="", default="", max_length=10)),
                ("answer", models.TextField(db_default="", default="")),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="visibility.subscription",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["subscription", "-id"], name="delivery_attempt_of"),
                    models.Index(fields=["at"], name="delivery_attempt_at"),
                ],
            },
        ),
    ]
