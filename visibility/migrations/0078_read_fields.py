"""Record which fields of messages the connector reads."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("visibility", "0077_sent_versions")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="sourcefieldchange",
            name="is_read",
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name="sourcefieldsample",
            name="read_paths",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
    ]
