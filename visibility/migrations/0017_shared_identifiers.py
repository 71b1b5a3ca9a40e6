"""Numbers that several objects share, such as the customer PO of two orders of one ERP."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("visibility", "0016_subscription_settings")]

    operations = [
        migrations.AddField(
            model_name="identifier",
            name="is_shared",
            field=models.BooleanField(db_default=False),
        ),
    ]
