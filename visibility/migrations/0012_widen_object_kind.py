"""Object kinds have names of up to 20 characters."""

from django.db import migrations, models

import visibility.models.choices


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0011_alert_subjects_and_teams"),
    ]

    operations = [
        migrations.AlterField(
            model_name="businessobject",
            name="kind",
            field=models.CharField(choices=visibility.models.choices.object_kinds, max_length=20),
        ),
        migrations.AlterField(
            model_name="decisionidentifier",
            name="kind",
            field=models.CharField(choices=visibility.models.choices.object_kinds, max_length=20),
        ),
        migrations.AlterField(
            model_name="identifier",
            name="kind",
            field=models.CharField(choices=visibility.models.choices.object_kinds, max_length=20),
        ),
    ]
