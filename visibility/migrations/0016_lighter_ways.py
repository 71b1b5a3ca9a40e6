"""From an object up to its order without a look at the table."""

from django.db import migrations, models
from django.db.models import deletion


class Migration(migrations.Migration):
    """The new index stands before the old one goes."""

    dependencies = [
        ("visibility", "0015_undelivered_orders"),
    ]

    operations = [
        migrations.AddIndex(
            "objectrelation",
            models.Index(fields=["child", "parent"], name="relation_up"),
        ),
        migrations.AlterField(
            "objectrelation",
            "child",
            models.ForeignKey(
                db_index=False,
                on_delete=deletion.PROTECT,
                related_name="+",
                to="visibility.businessobject",
            ),
        ),
    ]
