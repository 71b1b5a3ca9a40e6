"""Derived orders."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import visibility.models.choices


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0003_events"),
    ]

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "object",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        serialize=False,
                        to="visibility.businessobject",
                    ),
                ),
                ("key", models.TextField()),
                ("number", models.CharField(max_length=200)),
                ("customer_po", models.CharField(default="", max_length=200)),
                ("customer_no", models.CharField(default="", max_length=100)),
                ("customer_name", models.CharField(default="", max_length=250)),
                ("customer_group", models.CharField(default="", max_length=100)),
                ("channel", models.CharField(default="", max_length=60)),
                ("warehouse", models.CharField(default="", max_length=100)),
                ("carrier", models.CharField(default="", max_length=100)),
                ("currency", models.CharField(default="", max_length=8)),
                ("total", models.DecimalField(decimal_places=4, max_digits=24, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=visibility.models.choices.order_statuses, max_length=24
                    ),
                ),
                ("status_since", models.DateTimeField(null=True)),
                (
                    "states",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=24), default=list, size=None
                    ),
                ),
                ("conflict_count", models.IntegerField(default=0)),
                ("answer", models.TextField(default="")),
                ("next_step", models.TextField(default="")),
                ("is_open", models.BooleanField(default=True)),
                ("line_count", models.IntegerField(default=0)),
                ("lines_shipped", models.IntegerField(default=0)),
                ("ordered_at", models.DateTimeField(null=True)),
                ("requested_at", models.DateTimeField(null=True)),
                ("promised_at", models.DateTimeField(null=True)),
                ("first_promised_at", models.DateTimeField(null=True)),
                ("released_at", models.DateTimeField(null=True)),
                ("shipped_at", models.DateTimeField(null=True)),
                ("delivered_at", models.DateTimeField(null=True)),
                ("last_event_at", models.DateTimeField(null=True)),
                ("last_source", models.CharField(default="", max_length=60)),
                ("event_count", models.IntegerField(default=0)),
                (
                    "folded_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("promise_ends_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-last_event_at", "-object"], name="order_last_event"),
                    models.Index(fields=["status", "-last_event_at"], name="order_status"),
                    models.Index(
                        condition=models.Q(("is_open", True)),
                        fields=["status", "status_since"],
                        name="order_open",
                    ),
                    models.Index(fields=["-ordered_at"], name="order_ordered"),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["states"], name="order_states"
                    ),
                    models.Index(fields=["customer_name"], name="order_customer"),
                    models.Index(
                        condition=models.Q(
                            ("delivered_at__isnull", True),
                            ("is_open", True),
                            ("ordered_at__isnull", False),
                        ),
                        fields=["ordered_at"],
                        include=("channel", "warehouse", "customer_group"),
                        name="order_undelivered",
                    ),
                    models.Index(
                        condition=models.Q(("promise_ends_at__isnull", False)),
                        fields=["promise_ends_at"],
                        name="order_promise_ends",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="visibility.order",
                    ),
                ),
                ("key", models.CharField(max_length=300)),
                ("position", models.IntegerField()),
                ("sku", models.CharField(default="", max_length=250)),
                ("description", models.TextField(default="")),
                ("unit", models.CharField(default="", max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=visibility.models.choices.line_states,
                        default="unknown",
                        max_length=24,
                    ),
                ),
                (
                    "flags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=24), default=list, size=None
                    ),
                ),
                ("price", models.DecimalField(decimal_places=4, max_digits=24, null=True)),
                ("ordered", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("allocated", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("backordered", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("picked", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("packed", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("shipped", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("delivered", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("invoiced", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("returned", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("credited", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
                ("cancelled", models.DecimalField(decimal_places=6, max_digits=32, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("order", "key"), name="order_line_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="Shipment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="shipments",
                        to="visibility.order",
                    ),
                ),
                ("key", models.TextField()),
                ("carrier", models.CharField(default="", max_length=100)),
                (
                    "tracking",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), default=list, size=None
                    ),
                ),
                ("status", models.CharField(default="", max_length=40)),
                ("shipped_at", models.DateTimeField(null=True)),
                ("first_scan_at", models.DateTimeField(null=True)),
                ("last_scan_at", models.DateTimeField(null=True)),
                ("delivered_at", models.DateTimeField(null=True)),
                ("eta", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("order", "key"), name="shipment_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="Milestone",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="milestones",
                        to="visibility.order",
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        choices=visibility.models.choices.milestone_codes, max_length=20
                    ),
                ),
                ("planned_at", models.DateTimeField(null=True)),
                ("reached_at", models.DateTimeField(null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("share", models.DecimalField(decimal_places=4, max_digits=7, null=True)),
                ("source", models.CharField(default="", max_length=60)),
            ],
            options={
                "indexes": [models.Index(fields=["code", "reached_at"], name="milestone_reached")],
                "constraints": [
                    models.UniqueConstraint(fields=("order", "code"), name="milestone_unique")
                ],
            },
        ),
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
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="conflicts",
                        to="visibility.order",
                    ),
                ),
                (
                    "field",
                    models.CharField(
                        choices=visibility.models.choices.conflict_fields, max_length=20
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
            options={
                "indexes": [models.Index(fields=["owner", "opened_at"], name="conflict_owner")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("order", "field", "line"), name="conflict_unique"
                    )
                ],
            },
        ),
    ]
