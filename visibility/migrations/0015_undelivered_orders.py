"""Orders that wait for their delivery, as cells."""

from django.conf import settings
from django.db import migrations

COUNTED = """
INSERT INTO visibility_kpifact (order_id, kpi, version, day, channel, warehouse, customer_group,
    numerator, denominator, excluded, aside)
SELECT object_id, 'undelivered', 1, (ordered_at AT TIME ZONE %s)::date, channel, warehouse,
    customer_group, 1, 1, '', '{}'
FROM visibility_order
WHERE is_open AND delivered_at IS NULL AND ordered_at IS NOT NULL
ON CONFLICT DO NOTHING
"""
MARKED = """
INSERT INTO visibility_dirtycell (kpi, day)
SELECT DISTINCT kpi, day FROM visibility_kpifact WHERE kpi = 'undelivered'
"""


class Migration(migrations.Migration):
    """The cells are summed in the background.

    A worker of the version before that still runs takes the facts of the orders it folds away
    again; they come back with the next fold, or by `manage.py rebuild`.
    """

    dependencies = [
        ("visibility", "0014_unmapped_words"),
    ]

    operations = [
        migrations.RunSQL([(COUNTED, [settings.TIME_ZONE]), MARKED], migrations.RunSQL.noop),
    ]
