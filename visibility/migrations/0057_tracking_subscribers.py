"""The addresses that receive emails about a tracking page."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0056_customer_brand"),
    ]

    operations = [
        migrations.CreateModel(
            name="TrackingSubscriber",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=16, unique=True)),
                ("address", models.CharField(max_length=254)),
                ("requested_at", models.DateTimeField()),
                ("requests", models.SmallIntegerField(default=1)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("headline", models.TextField(default="")),
                ("check_at", models.DateTimeField(null=True)),
                ("mail_due_at", models.DateTimeField(null=True)),
                ("mail_attempts", models.SmallIntegerField(default=0)),
                ("mail_error", models.CharField(default="", max_length=300)),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "link",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="subscribers",
                        to="visibility.trackinglink",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("mail_due_at__isnull", False)),
                        fields=["mail_due_at"],
                        name="tracking_subscriber_mail_due",
                    ),
                    models.Index(
                        condition=models.Q(("check_at__isnull", False)),
                        fields=["check_at"],
                        name="tracking_subscriber_check",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("link", "address"), name="tracking_subscriber_unique"
                    )
                ],
            },
        ),
    ]
