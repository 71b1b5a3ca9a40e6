"""What each partition of message bodies holds, what keeps it, and when it was removed."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("visibility", "0021_message_bodies")]

    operations = [
        migrations.CreateModel(
            name="MessageBodyPartition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField(unique=True)),
                ("ends_at", models.DateTimeField()),
                ("message_count", models.BigIntegerField(default=0)),
                ("byte_count", models.BigIntegerField(default=0)),
                ("waiting_count", models.BigIntegerField(default=0)),
                ("parked_count", models.BigIntegerField(default=0)),
                ("open_order_count", models.BigIntegerField(default=0)),
                (
                    "open_order_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("is_moving", models.BooleanField(default=False)),
                ("checked_at", models.DateTimeField()),
                ("removable_since", models.DateTimeField(null=True)),
                ("removed_at", models.DateTimeField(null=True)),
                ("retention_days", models.IntegerField(null=True)),
            ],
        ),
    ]
