"""When a clock was first heard of."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """A deadline that had passed before we heard of it waits for the backlog."""

    dependencies = [
        ("visibility", "0003_idempotency"),
    ]

    operations = [
        migrations.AddField(
            model_name="slaclock",
            name="heard_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
    ]
