"""Lines that a number could not count."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Each order's, and their sums."""

    dependencies = [
        ("visibility", "0008_refold_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="kpifact",
            name="aside",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="kpicell",
            name="aside",
            field=models.JSONField(default=dict),
        ),
    ]
