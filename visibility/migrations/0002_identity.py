"""Business objects, their identifiers and people's decisions about them."""

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import visibility.models.choices


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("visibility", "0001_sources_and_messages"),
    ]

    operations = [
        migrations.CreateModel(
            name="BusinessObject",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=visibility.models.choices.object_kinds, max_length=12),
                ),
                (
                    "merged_into",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.businessobject",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("has_manual_decisions", models.BooleanField(db_default=False)),
            ],
        ),
        migrations.CreateModel(
            name="Identifier",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=visibility.models.choices.object_kinds, max_length=12),
                ),
                (
                    "scheme",
                    models.CharField(
                        choices=visibility.models.choices.identifier_schemes, max_length=20
                    ),
                ),
                ("issuer", models.CharField(max_length=100)),
                ("value", models.CharField(max_length=200)),
                ("raw", models.CharField(max_length=250)),
                ("is_identity", models.BooleanField()),
                (
                    "object",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="visibility.businessobject"
                    ),
                ),
                ("rejected", models.BooleanField(db_default=False)),
                ("generation", models.SmallIntegerField(db_default=0)),
                ("reused_from", models.DateField(null=True)),
                ("first_at", models.DateTimeField(null=True)),
                ("last_at", models.DateTimeField(null=True)),
                ("original_object_id", models.BigIntegerField(null=True)),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["value"], name="identifier_value_trgm", opclasses=["gin_trgm_ops"]
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_identity", True)),
                        fields=("value", "scheme", "issuer", "kind", "generation"),
                        name="identifier_identity_unique",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_identity", False)),
                        fields=("value", "scheme", "issuer", "kind", "object"),
                        name="identifier_reference_unique",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ObjectRelation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="visibility.businessobject",
                    ),
                ),
                (
                    "child",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="visibility.businessobject",
                    ),
                ),
                ("event_id", models.BigIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["child", "parent"], name="relation_up")],
                "constraints": [
                    models.UniqueConstraint(fields=("parent", "child"), name="relation_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="UnmatchedObject",
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
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["name"],
                        name="customer_name_search_trgm",
                        opclasses=["gin_trgm_ops"],
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("name", "number"), name="customer_name_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentityDecision",
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
                ("left_label", models.CharField(max_length=250)),
                ("right_label", models.CharField(max_length=250)),
                ("reason", models.TextField(default="")),
                ("decided_at", models.DateTimeField()),
                (
                    "decided_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("undone_at", models.DateTimeField(null=True)),
                (
                    "undone_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DecisionIdentifier",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "decision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="identifiers",
                        to="visibility.identitydecision",
                    ),
                ),
                ("side", models.SmallIntegerField()),
                (
                    "kind",
                    models.CharField(choices=visibility.models.choices.object_kinds, max_length=12),
                ),
                (
                    "scheme",
                    models.CharField(
                        choices=visibility.models.choices.identifier_schemes, max_length=20
                    ),
                ),
                ("issuer", models.CharField(max_length=100)),
                ("value", models.CharField(max_length=200)),
                ("used_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("value", "scheme", "issuer", "kind", "decision"),
                        name="decision_identifier_unique",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Merge",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "winner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="visibility.businessobject",
                    ),
                ),
                (
                    "loser",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="visibility.businessobject",
                    ),
                ),
                ("event_id", models.BigIntegerField()),
                ("shared_identifier", models.CharField(default="", max_length=350)),
                (
                    "decision",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.identitydecision",
                    ),
                ),
                (
                    "merged_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RefoldRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "object",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.businessobject",
                    ),
                ),
                (
                    "due_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["due_at", "id"], name="refold_request_due"),
                    models.Index(fields=["object", "due_at"], name="refold_request_object"),
                ],
            },
        ),
    ]
