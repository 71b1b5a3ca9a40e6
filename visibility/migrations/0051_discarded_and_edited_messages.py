"""People discard parked messages, store edited copies of them, and stop replays."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Every row has one of the earlier states, so none has to be read to validate the constraint.
ALLOW_DISCARDED = """
ALTER TABLE visibility_inbound_message DROP CONSTRAINT visibility_inbound_message_state_check;
ALTER TABLE visibility_inbound_message ADD CONSTRAINT visibility_inbound_message_state_check
    CHECK (state IN ('waiting', 'applied', 'parked', 'discarded')) NOT VALID;
CREATE INDEX inbound_message_discarded ON visibility_inbound_message (id)
    WHERE state = 'discarded';
"""
FORBID_DISCARDED = """
DROP INDEX inbound_message_discarded;
UPDATE visibility_inbound_message SET state = 'parked' WHERE state = 'discarded';
ALTER TABLE visibility_inbound_message DROP CONSTRAINT visibility_inbound_message_state_check;
ALTER TABLE visibility_inbound_message ADD CONSTRAINT visibility_inbound_message_state_check
    CHECK (state IN ('waiting', 'applied', 'parked')) NOT VALID;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0050_activity_order"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(ALLOW_DISCARDED, FORBID_DISCARDED),
        migrations.AddField(
            model_name="messagereplay", name="stopped_at", field=models.DateTimeField(null=True)
        ),
        migrations.AddField(
            model_name="messagereplay",
            name="stopped_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="MessageDiscard",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("discarded_at", models.DateTimeField()),
                ("why", models.TextField()),
                (
                    "message_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "discarded_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="EditedMessage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("message_id", models.BigIntegerField(unique=True)),
                ("original_id", models.BigIntegerField()),
                ("edited_at", models.DateTimeField()),
                ("why", models.TextField()),
                (
                    "edited_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["original_id"], name="edited_message_original")]
            },
        ),
    ]
