"""The order of the activity list that a person chose."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("visibility", "0049_kpi_targets")]

    operations = [
        migrations.AddField(
            model_name="orderlanechoice",
            name="oldest_first",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
