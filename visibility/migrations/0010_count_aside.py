"""The orders with lines set aside are counted again."""

from django.db import migrations


class Migration(migrations.Migration):
    """In the background, as any order that was touched."""

    dependencies = [
        ("visibility", "0009_lines_aside"),
    ]

    operations = [
        migrations.RunSQL(
            """
            INSERT INTO visibility_refold (object_id)
            SELECT DISTINCT order_id FROM visibility_orderline WHERE state = 'aside'
            """,
            migrations.RunSQL.noop,
        ),
    ]
