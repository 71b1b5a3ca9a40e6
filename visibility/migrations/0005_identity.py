"""Numbers that are used again, joins that people decide, orphans, customers' names."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Existing numbers get their periods, and the new tables their rows, by `manage.py rebuild`."""

    dependencies = [
        ("visibility", "0004_clock_heard_at"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CustomerName",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=250)),
                ("number", models.CharField(default="", max_length=100)),
            ],
        ),
        migrations.CreateModel(
            name="JoinAct",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("join", "Join"),
                            ("belongs", "Belongs"),
                            ("split", "Split"),
                            ("distinct", "Distinct"),
                        ],
                        max_length=10,
                    ),
                ),
                ("left", models.CharField(max_length=250)),
                ("right", models.CharField(max_length=250)),
                ("why", models.TextField(default="")),
                ("made_at", models.DateTimeField()),
                ("undone_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="JoinNumber",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("side", models.SmallIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("customer", "customer"),
                            ("item", "item"),
                            ("order", "order"),
                            ("shipment", "shipment"),
                            ("package", "package"),
                            ("invoice", "invoice"),
                            ("return", "return"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "scheme",
                    models.CharField(
                        choices=[
                            ("sales_order", "sales_order"),
                            ("web_order", "web_order"),
                            ("order_number", "order_number"),
                            ("customer_po", "customer_po"),
                            ("source_id", "source_id"),
                            ("shipment", "shipment"),
                            ("delivery", "delivery"),
                            ("bol", "bol"),
                            ("pro", "pro"),
                            ("sscc", "sscc"),
                            ("tracking", "tracking"),
                            ("invoice", "invoice"),
                            ("credit_memo", "credit_memo"),
                            ("rma", "rma"),
                            ("customer", "customer"),
                            ("sku", "sku"),
                            ("reference", "reference"),
                        ],
                        max_length=20,
                    ),
                ),
                ("issuer", models.CharField(max_length=100)),
                ("value", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="MovedAlert",
            fields=[
                (
                    "alert",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        serialize=False,
                        to="visibility.alert",
                    ),
                ),
                ("was", models.JSONField(null=True)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="MovedEntry",
            fields=[
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        serialize=False,
                        to="visibility.alertentry",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Orphan",
            fields=[
                (
                    "object",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to="visibility.businessobject",
                    ),
                ),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="identifier",
            name="identifier_strong_once",
        ),
        migrations.RemoveIndex(
            model_name="order",
            name="order_customer_trgm",
        ),
        migrations.AddField(
            model_name="businessobject",
            name="by_hand",
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddField(
            model_name="identifier",
            name="first_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="identifier",
            name="home",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="identifier",
            name="last_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="identifier",
            name="part",
            field=models.SmallIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="identifier",
            name="refused",
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddField(
            model_name="identifier",
            name="since",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="merge",
            name="number",
            field=models.CharField(default="", max_length=350),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["customer_name"], name="order_customer"),
        ),
        migrations.AddConstraint(
            model_name="identifier",
            constraint=models.UniqueConstraint(
                condition=models.Q(("strong", True)),
                fields=("value", "scheme", "issuer", "kind", "part"),
                name="identifier_strong_once",
            ),
        ),
        migrations.AddIndex(
            model_name="customername",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["name"], name="customername_trgm", opclasses=["gin_trgm_ops"]
            ),
        ),
        migrations.AddConstraint(
            model_name="customername",
            constraint=models.UniqueConstraint(
                fields=("name", "number"), name="customer_name_once"
            ),
        ),
        migrations.AddField(
            model_name="joinact",
            name="made_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="joinact",
            name="undone_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="merge",
            name="act",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, to="visibility.joinact"
            ),
        ),
        migrations.AddField(
            model_name="joinnumber",
            name="act",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="numbers",
                to="visibility.joinact",
            ),
        ),
        migrations.AddField(
            model_name="movedalert",
            name="home",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="visibility.businessobject",
            ),
        ),
        migrations.AddField(
            model_name="movedalert",
            name="twin",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="visibility.alert",
            ),
        ),
        migrations.AddField(
            model_name="movedentry",
            name="home",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="visibility.alert"
            ),
        ),
        migrations.AddConstraint(
            model_name="joinnumber",
            constraint=models.UniqueConstraint(
                fields=("value", "scheme", "issuer", "kind", "act"), name="join_number_once"
            ),
        ),
    ]
