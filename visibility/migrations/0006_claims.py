"""What follows from the claims on an order: its states, its lines' states, its contradictions."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns and a table of derived rows: `manage.py rebuild` fills them for old orders."""

    dependencies = [
        ("visibility", "0005_identity"),
    ]

    operations = [
        migrations.CreateModel(
            name="Conflict",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "field",
                    models.CharField(
                        choices=[
                            ("status", "status"),
                            ("promised_at", "promised_at"),
                            ("price", "price"),
                            ("ordered", "ordered"),
                            ("allocated", "allocated"),
                            ("backordered", "backordered"),
                            ("picked", "picked"),
                            ("packed", "packed"),
                            ("shipped", "shipped"),
                            ("delivered", "delivered"),
                            ("invoiced", "invoiced"),
                            ("returned", "returned"),
                            ("credited", "credited"),
                            ("cancelled", "cancelled"),
                        ],
                        max_length=20,
                    ),
                ),
                ("line", models.CharField(default="", max_length=300)),
                ("since", models.DateTimeField()),
                ("opened_at", models.DateTimeField()),
                ("money", models.DecimalField(decimal_places=4, max_digits=64, null=True)),
                ("currency", models.CharField(default="", max_length=8)),
                ("owner", models.CharField(max_length=60)),
                ("claims", models.JSONField(default=list)),
            ],
        ),
        migrations.AddField(
            model_name="order",
            name="conflict_count",
            field=models.IntegerField(default=0),
        ),
        migrations.AddField(
            model_name="order",
            name="first_promised_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="states",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=24), default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="orderline",
            name="flags",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=24), default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="orderline",
            name="state",
            field=models.CharField(
                choices=[
                    ("unknown", "unknown"),
                    ("aside", "aside"),
                    ("ordered", "ordered"),
                    ("backordered", "backordered"),
                    ("allocated", "allocated"),
                    ("picked", "picked"),
                    ("packed", "packed"),
                    ("partially_shipped", "partially_shipped"),
                    ("shipped", "shipped"),
                    ("partially_delivered", "partially_delivered"),
                    ("delivered", "delivered"),
                    ("returned", "returned"),
                    ("cancelled", "cancelled"),
                ],
                default="unknown",
                max_length=24,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="status",
            field=models.CharField(
                choices=[
                    ("unknown", "unknown"),
                    ("received", "received"),
                    ("accepted", "accepted"),
                    ("rejected", "rejected"),
                    ("held", "held"),
                    ("released", "released"),
                    ("allocated", "allocated"),
                    ("backordered", "backordered"),
                    ("picked", "picked"),
                    ("packed", "packed"),
                    ("partially_shipped", "partially_shipped"),
                    ("shipped", "shipped"),
                    ("partially_delivered", "partially_delivered"),
                    ("delivered", "delivered"),
                    ("completed", "completed"),
                    ("returned", "returned"),
                    ("credited", "credited"),
                    ("cancelled", "cancelled"),
                ],
                max_length=24,
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=django.contrib.postgres.indexes.GinIndex(fields=["states"], name="order_states"),
        ),
        migrations.AddField(
            model_name="conflict",
            name="order",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="conflicts",
                to="visibility.order",
            ),
        ),
        migrations.AddIndex(
            model_name="conflict",
            index=models.Index(fields=["owner", "opened_at"], name="conflict_owner"),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.UniqueConstraint(
                fields=("order", "field", "line"), name="conflict_once"
            ),
        ),
    ]
