"""Add queues of message brokers from which sources receive."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0065_saml_provider"),
    ]

    operations = [
        migrations.AddField(
            model_name="source",
            name="queue_error",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.CreateModel(
            name="QueueConnection",
            fields=[
                (
                    "source",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        serialize=False,
                        to="visibility.source",
                    ),
                ),
                ("due_at", models.DateTimeField(null=True)),
                ("session", models.BigIntegerField(db_default=0, default=0)),
                ("connected_at", models.DateTimeField(null=True)),
                ("connection_count", models.IntegerField(db_default=0, default=0)),
                ("last_message_at", models.DateTimeField(null=True)),
                ("waiting_count", models.BigIntegerField(null=True)),
                ("counted_at", models.DateTimeField(null=True)),
                ("paused_reason", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "indexes": [models.Index(fields=["due_at"], name="queue_connection_due")],
            },
        ),
    ]
