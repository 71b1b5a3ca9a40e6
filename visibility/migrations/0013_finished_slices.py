"""Cells for every slice, with histograms; when a promise ends, by index."""

import django.contrib.postgres.fields
from django.db import migrations, models

AGAIN = """
DELETE FROM visibility_kpicell;
INSERT INTO visibility_dirtycell (kpi, day) SELECT DISTINCT kpi, day FROM visibility_kpifact;
UPDATE visibility_order SET promise_ends_at = promised_at
WHERE promised_at > now() - interval '2 days' AND delivered_at IS NULL;
"""


class Migration(migrations.Migration):
    """The cells are summed again in the background."""

    dependencies = [
        ("visibility", "0012_grouped_notifications"),
    ]

    operations = [
        migrations.AddField("order", "promise_ends_at", models.DateTimeField(null=True)),
        migrations.RunSQL(AGAIN, migrations.RunSQL.noop),
        migrations.AddIndex(
            "order",
            models.Index(
                fields=["promise_ends_at"],
                condition=models.Q(promise_ends_at__isnull=False),
                name="order_promise_ends",
            ),
        ),
        migrations.AddIndex(
            "order",
            models.Index(
                fields=["ordered_at"],
                include=["channel", "warehouse", "customer_group"],
                condition=models.Q(
                    is_open=True, delivered_at__isnull=True, ordered_at__isnull=False
                ),
                name="order_undelivered",
            ),
        ),
        migrations.RemoveConstraint("kpicell", "kpi_cell_once"),
        migrations.RemoveField("kpicell", "values"),
        migrations.AddField("kpicell", "grain", models.SmallIntegerField(), preserve_default=False),
        migrations.AddField(
            "kpicell",
            "buckets",
            django.contrib.postgres.fields.ArrayField(models.IntegerField(), default=list),
        ),
        migrations.AddField(
            "kpicell",
            "counts",
            django.contrib.postgres.fields.ArrayField(models.IntegerField(), default=list),
        ),
        migrations.AddConstraint(
            "kpicell",
            models.UniqueConstraint(
                fields=["grain", "kpi", "day", "channel", "warehouse", "customer_group"],
                name="kpi_cell_once",
            ),
        ),
    ]
