"""Master data, term mappings and imports."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.constraints
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import visibility.models.master


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("visibility", "0006_kpis"),
    ]

    operations = [
        # Progress of the running import. A sequence is visible to others before the commit.
        migrations.RunSQL(
            "CREATE SEQUENCE visibility_import_progress",
            "DROP SEQUENCE visibility_import_progress",
        ),
        migrations.CreateModel(
            name="Item",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=1600)),
                ("valid_from", models.DateTimeField(null=True)),
                ("valid_to", models.DateTimeField(null=True)),
                ("owner", models.CharField(blank=True, default="", max_length=80)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                ("version", models.IntegerField(default=1)),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("number", models.CharField(max_length=250)),
                ("title", models.CharField(blank=True, default="", max_length=300)),
                ("unit", models.CharField(default="EA", max_length=20)),
                ("ean", models.CharField(blank=True, default="", max_length=20)),
                ("item_class", models.CharField(blank=True, default="", max_length=60)),
                ("components", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["key"], name="item_key"),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["key"], name="item_key_trgm", opclasses=["gin_trgm_ops"]
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["title"], name="item_title_trgm", opclasses=["gin_trgm_ops"]
                    ),
                    models.Index(
                        condition=models.Q(("ean", ""), _negated=True),
                        fields=["ean"],
                        name="item_ean",
                    ),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("key", "="),
                            (
                                visibility.models.master.ValidityRange("valid_from", "valid_to"),
                                "&&",
                            ),
                        ],
                        name="item_no_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="item_valid_period",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UnitFactor",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=1600)),
                ("valid_from", models.DateTimeField(null=True)),
                ("valid_to", models.DateTimeField(null=True)),
                ("owner", models.CharField(blank=True, default="", max_length=80)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                ("version", models.IntegerField(default=1)),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("item", models.CharField(blank=True, default="", max_length=250)),
                ("item_key", models.CharField(blank=True, default="", max_length=1600)),
                ("unit", models.CharField(max_length=20)),
                ("base", models.CharField(max_length=20)),
                ("numerator", models.BigIntegerField()),
                ("denominator", models.BigIntegerField(default=1)),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["key"], name="unitfactor_key"),
                    models.Index(fields=["item_key", "unit"], name="unit_factor_item"),
                    models.Index(fields=["unit"], name="unit_factor_unit"),
                    models.Index(fields=["base"], name="unit_factor_base"),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("key", "="),
                            (
                                visibility.models.master.ValidityRange("valid_from", "valid_to"),
                                "&&",
                            ),
                        ],
                        name="unitfactor_no_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="unitfactor_valid_period",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("denominator__gt", 0), ("numerator__gt", 0)),
                        name="unit_factor_is_a_positive_ratio",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Location",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=1600)),
                ("valid_from", models.DateTimeField(null=True)),
                ("valid_to", models.DateTimeField(null=True)),
                ("owner", models.CharField(blank=True, default="", max_length=80)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                ("version", models.IntegerField(default=1)),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("code", models.CharField(max_length=100)),
                ("title", models.CharField(blank=True, default="", max_length=200)),
                ("zone", models.CharField(default="UTC", max_length=60)),
                ("calendar", models.CharField(blank=True, default="", max_length=50)),
            ],
            options={
                "abstract": False,
                "indexes": [models.Index(fields=["key"], name="location_key")],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("key", "="),
                            (
                                visibility.models.master.ValidityRange("valid_from", "valid_to"),
                                "&&",
                            ),
                        ],
                        name="location_no_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="location_valid_period",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=1600)),
                ("valid_from", models.DateTimeField(null=True)),
                ("valid_to", models.DateTimeField(null=True)),
                ("owner", models.CharField(blank=True, default="", max_length=80)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                ("version", models.IntegerField(default=1)),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("number", models.CharField(max_length=100)),
                ("name", models.CharField(blank=True, default="", max_length=250)),
                ("group", models.CharField(blank=True, default="", max_length=100)),
                ("parent", models.CharField(blank=True, default="", max_length=100)),
                ("parent_key", models.CharField(blank=True, default="", max_length=1600)),
                (
                    "roles",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=10), default=list, size=None
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["key"], name="customer_key"),
                    models.Index(
                        condition=models.Q(("parent_key", ""), _negated=True),
                        fields=["parent_key"],
                        name="customer_parent",
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["key"], name="customer_key_trgm", opclasses=["gin_trgm_ops"]
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["name"], name="customer_name_trgm", opclasses=["gin_trgm_ops"]
                    ),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("key", "="),
                            (
                                visibility.models.master.ValidityRange("valid_from", "valid_to"),
                                "&&",
                            ),
                        ],
                        name="customer_no_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="customer_valid_period",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TaxJurisdiction",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=1600)),
                ("valid_from", models.DateTimeField(null=True)),
                ("valid_to", models.DateTimeField(null=True)),
                ("owner", models.CharField(blank=True, default="", max_length=80)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                ("version", models.IntegerField(default=1)),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("ship_to", models.CharField(max_length=100)),
                ("jurisdiction", models.CharField(max_length=100)),
                ("title", models.CharField(blank=True, default="", max_length=200)),
            ],
            options={
                "abstract": False,
                "indexes": [models.Index(fields=["key"], name="taxjurisdiction_key")],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("key", "="),
                            (
                                visibility.models.master.ValidityRange("valid_from", "valid_to"),
                                "&&",
                            ),
                        ],
                        name="taxjurisdiction_no_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="taxjurisdiction_valid_period",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TermMapping",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=1600)),
                ("valid_from", models.DateTimeField(null=True)),
                ("valid_to", models.DateTimeField(null=True)),
                ("owner", models.CharField(blank=True, default="", max_length=80)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                ("version", models.IntegerField(default=1)),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("item", "Item"),
                            ("unit", "Unit"),
                            ("location", "Location"),
                            ("customer", "Customer"),
                            ("status", "Status"),
                        ],
                        max_length=10,
                    ),
                ),
                ("source", models.CharField(blank=True, default="", max_length=60)),
                ("external", models.CharField(max_length=250)),
                ("term", models.CharField(max_length=1600)),
                ("canonical", models.CharField(max_length=250)),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["key"], name="termmapping_key"),
                    models.Index(fields=["term"], name="term_mapping_term"),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("key", "="),
                            (
                                visibility.models.master.ValidityRange("valid_from", "valid_to"),
                                "&&",
                            ),
                        ],
                        name="termmapping_no_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="termmapping_valid_period",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IgnoredTerm",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("item", "Item"),
                            ("unit", "Unit"),
                            ("location", "Location"),
                            ("customer", "Customer"),
                            ("status", "Status"),
                        ],
                        max_length=10,
                    ),
                ),
                ("source", models.CharField(max_length=60)),
                ("term", models.CharField(max_length=250)),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                ("decided_at", models.DateTimeField()),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "source", "term"), name="ignored_term_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WatchedVocabulary",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("item", "Item"),
                            ("unit", "Unit"),
                            ("location", "Location"),
                            ("customer", "Customer"),
                            ("status", "Status"),
                        ],
                        max_length=10,
                    ),
                ),
                ("source", models.CharField(blank=True, default="", max_length=60)),
                ("backfilled", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "source"), name="watched_vocabulary_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TermUsage",
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
                        on_delete=django.db.models.deletion.PROTECT, to="visibility.businessobject"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("item", "Item"),
                            ("unit", "Unit"),
                            ("location", "Location"),
                            ("customer", "Customer"),
                            ("status", "Status"),
                        ],
                        max_length=10,
                    ),
                ),
                ("source", models.CharField(max_length=60)),
                ("term", models.CharField(max_length=250)),
                ("raw", models.CharField(max_length=250)),
                ("description", models.CharField(blank=True, default="", max_length=300)),
                ("canonical", models.CharField(blank=True, default="", max_length=250)),
                ("unmapped", models.BooleanField()),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("messages", models.IntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["kind", "term", "source"], name="term_usage_term"),
                    models.Index(fields=["kind", "canonical"], name="term_usage_canonical"),
                    models.Index(
                        condition=models.Q(("unmapped", True)),
                        fields=["kind", "source", "term"],
                        name="term_usage_unmapped",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("order", "kind", "source", "term", "canonical", "unmapped"),
                        name="term_usage_unique",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BackfillRequest",
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
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.businessobject",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MasterChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("table", models.CharField(max_length=10)),
                ("row", models.BigIntegerField()),
                ("version", models.IntegerField()),
                ("action", models.CharField(max_length=10)),
                ("at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("origin", models.CharField(max_length=60)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["table", "row"], name="master_change_row")],
            },
        ),
        migrations.CreateModel(
            name="MasterImport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("table", models.CharField(max_length=10)),
                ("name", models.CharField(max_length=200)),
                ("format", models.CharField(max_length=4)),
                ("size", models.BigIntegerField()),
                ("auto_apply", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("reading", "Reading"),
                            ("validated", "Validated"),
                            ("writing", "Writing"),
                            ("done", "Done"),
                            ("rejected", "Rejected"),
                            ("discarded", "Discarded"),
                        ],
                        max_length=10,
                    ),
                ),
                ("detail", models.CharField(default="", max_length=500)),
                ("attempts", models.IntegerField(default=0)),
                ("done", models.IntegerField(default=0)),
                ("total", models.IntegerField(null=True)),
                ("added", models.IntegerField(default=0)),
                ("changed", models.IntegerField(default=0)),
                ("unchanged", models.IntegerField(default=0)),
                ("invalid", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("waiting", "reading", "writing"))),
                        fields=["id"],
                        name="import_in_progress",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportPart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "master_import",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.masterimport",
                    ),
                ),
                ("number", models.IntegerField()),
                ("data", models.BinaryField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("master_import", "number"), name="import_part_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "master_import",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.masterimport",
                    ),
                ),
                ("number", models.IntegerField()),
                ("key", models.CharField(max_length=1600)),
                ("values", models.JSONField(default=dict)),
                ("verdict", models.CharField(default="", max_length=10)),
                ("reason", models.CharField(default="", max_length=500)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["master_import", "key"], name="import_row_key"),
                    models.Index(
                        condition=models.Q(("verdict", "invalid")),
                        fields=["master_import"],
                        name="import_row_invalid",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("master_import", "number"), name="import_row_unique"
                    )
                ],
            },
        ),
    ]
