"""Master data, apart from the transactions."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.constraints
import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations, models

import visibility.models.master


class Migration(migrations.Migration):
    """Dated rows that cannot overlap, the uses of words, and files on their way in."""

    dependencies = [
        ("visibility", "0006_claims"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        BtreeGistExtension(),
        # How far a file that is being written has come: a sequence shows it before the commit.
        migrations.RunSQL(
            "CREATE SEQUENCE visibility_import_row",
            "DROP SEQUENCE visibility_import_row",
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
                ("apply", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("reading", "Reading"),
                            ("judged", "Judged"),
                            ("writing", "Writing"),
                            ("done", "Done"),
                            ("refused", "Refused"),
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
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "created_by",
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
            name="ImportRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField()),
                ("key", models.CharField(max_length=1600)),
                ("values", models.JSONField(default=dict)),
                ("verdict", models.CharField(default="", max_length=10)),
                ("reason", models.CharField(default="", max_length=500)),
                (
                    "of",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.masterimport",
                    ),
                ),
            ],
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
                ("number", models.IntegerField()),
                ("data", models.BinaryField()),
                (
                    "of",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="visibility.masterimport",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="NeverMap",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "table",
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
                ("word", models.CharField(max_length=250)),
                ("why", models.CharField(blank=True, default="", max_length=500)),
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
        ),
        migrations.CreateModel(
            name="Reread",
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
                ("ship_to", models.CharField(max_length=100)),
                ("jurisdiction", models.CharField(max_length=100)),
                ("title", models.CharField(blank=True, default="", max_length=200)),
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
            ],
            options={
                "abstract": False,
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
                ("item", models.CharField(blank=True, default="", max_length=250)),
                ("item_key", models.CharField(blank=True, default="", max_length=1600)),
                ("unit", models.CharField(max_length=20)),
                ("base", models.CharField(max_length=20)),
                ("numerator", models.BigIntegerField()),
                ("denominator", models.BigIntegerField(default=1)),
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
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "table",
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
                ("read", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("table", "source"), name="watch_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="WordMapping",
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
                    "table",
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
                ("theirs", models.CharField(max_length=250)),
                ("word", models.CharField(max_length=1600)),
                ("ours", models.CharField(max_length=250)),
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
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="WordUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "table",
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
                ("word", models.CharField(max_length=250)),
                ("raw", models.CharField(max_length=250)),
                ("about", models.CharField(blank=True, default="", max_length=300)),
                ("ours", models.CharField(blank=True, default="", max_length=250)),
                ("unmapped", models.BooleanField()),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("messages", models.IntegerField()),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="visibility.businessobject"
                    ),
                ),
            ],
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
                            (visibility.models.master.Period("valid_from", "valid_to"), "&&"),
                        ],
                        name="customer_one_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="customer_begins_before_it_ends",
                    ),
                ],
            },
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
                ("number", models.CharField(max_length=250)),
                ("title", models.CharField(blank=True, default="", max_length=300)),
                ("unit", models.CharField(default="EA", max_length=20)),
                ("ean", models.CharField(blank=True, default="", max_length=20)),
                ("item_class", models.CharField(blank=True, default="", max_length=60)),
                ("components", models.JSONField(blank=True, default=dict)),
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
                            (visibility.models.master.Period("valid_from", "valid_to"), "&&"),
                        ],
                        name="item_one_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="item_begins_before_it_ends",
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
                ("code", models.CharField(max_length=100)),
                ("title", models.CharField(blank=True, default="", max_length=200)),
                ("zone", models.CharField(default="UTC", max_length=60)),
                ("calendar", models.CharField(blank=True, default="", max_length=50)),
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
            ],
            options={
                "abstract": False,
                "indexes": [models.Index(fields=["key"], name="location_key")],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        expressions=[
                            ("key", "="),
                            (visibility.models.master.Period("valid_from", "valid_to"), "&&"),
                        ],
                        name="location_one_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_from__isnull", True),
                            ("valid_to__isnull", True),
                            ("valid_from__lt", models.F("valid_to")),
                            _connector="OR",
                        ),
                        name="location_begins_before_it_ends",
                    ),
                ],
            },
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
                ("what", models.CharField(max_length=10)),
                ("at", models.DateTimeField()),
                ("via", models.CharField(max_length=60)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                (
                    "who",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["table", "row"], name="master_change_row")],
            },
        ),
        migrations.AddIndex(
            model_name="masterimport",
            index=models.Index(
                condition=models.Q(("state__in", ("waiting", "reading", "writing"))),
                fields=["id"],
                name="import_moving",
            ),
        ),
        migrations.AddIndex(
            model_name="importrow",
            index=models.Index(fields=["of", "key"], name="import_row_key"),
        ),
        migrations.AddIndex(
            model_name="importrow",
            index=models.Index(
                condition=models.Q(("verdict", "invalid")), fields=["of"], name="import_row_invalid"
            ),
        ),
        migrations.AddConstraint(
            model_name="importrow",
            constraint=models.UniqueConstraint(fields=("of", "number"), name="import_row_once"),
        ),
        migrations.AddConstraint(
            model_name="importpart",
            constraint=models.UniqueConstraint(fields=("of", "number"), name="import_part_once"),
        ),
        migrations.AddConstraint(
            model_name="nevermap",
            constraint=models.UniqueConstraint(
                fields=("table", "source", "word"), name="never_map_once"
            ),
        ),
        migrations.AddIndex(
            model_name="taxjurisdiction",
            index=models.Index(fields=["key"], name="taxjurisdiction_key"),
        ),
        migrations.AddConstraint(
            model_name="taxjurisdiction",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                expressions=[
                    ("key", "="),
                    (visibility.models.master.Period("valid_from", "valid_to"), "&&"),
                ],
                name="taxjurisdiction_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="taxjurisdiction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_from__isnull", True),
                    ("valid_to__isnull", True),
                    ("valid_from__lt", models.F("valid_to")),
                    _connector="OR",
                ),
                name="taxjurisdiction_begins_before_it_ends",
            ),
        ),
        migrations.AddIndex(
            model_name="unitfactor",
            index=models.Index(fields=["key"], name="unitfactor_key"),
        ),
        migrations.AddIndex(
            model_name="unitfactor",
            index=models.Index(fields=["item_key", "unit"], name="unit_factor_item"),
        ),
        migrations.AddIndex(
            model_name="unitfactor",
            index=models.Index(fields=["unit"], name="unit_factor_unit"),
        ),
        migrations.AddIndex(
            model_name="unitfactor",
            index=models.Index(fields=["base"], name="unit_factor_base"),
        ),
        migrations.AddConstraint(
            model_name="unitfactor",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                expressions=[
                    ("key", "="),
                    (visibility.models.master.Period("valid_from", "valid_to"), "&&"),
                ],
                name="unitfactor_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="unitfactor",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_from__isnull", True),
                    ("valid_to__isnull", True),
                    ("valid_from__lt", models.F("valid_to")),
                    _connector="OR",
                ),
                name="unitfactor_begins_before_it_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="unitfactor",
            constraint=models.CheckConstraint(
                condition=models.Q(("denominator__gt", 0), ("numerator__gt", 0)),
                name="unit_factor_is_a_positive_ratio",
            ),
        ),
        migrations.AddIndex(
            model_name="wordmapping",
            index=models.Index(fields=["key"], name="wordmapping_key"),
        ),
        migrations.AddIndex(
            model_name="wordmapping",
            index=models.Index(fields=["word"], name="word_mapping_word"),
        ),
        migrations.AddConstraint(
            model_name="wordmapping",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                expressions=[
                    ("key", "="),
                    (visibility.models.master.Period("valid_from", "valid_to"), "&&"),
                ],
                name="wordmapping_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="wordmapping",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_from__isnull", True),
                    ("valid_to__isnull", True),
                    ("valid_from__lt", models.F("valid_to")),
                    _connector="OR",
                ),
                name="wordmapping_begins_before_it_ends",
            ),
        ),
        migrations.AddIndex(
            model_name="worduse",
            index=models.Index(fields=["table", "word", "source"], name="word_use_word"),
        ),
        migrations.AddIndex(
            model_name="worduse",
            index=models.Index(fields=["table", "ours"], name="word_use_ours"),
        ),
        migrations.AddIndex(
            model_name="worduse",
            index=models.Index(
                condition=models.Q(("unmapped", True)),
                fields=["table", "source", "word"],
                name="word_use_unmapped",
            ),
        ),
        migrations.AddConstraint(
            model_name="worduse",
            constraint=models.UniqueConstraint(
                fields=("order", "table", "source", "word", "ours", "unmapped"),
                name="word_use_once",
            ),
        ),
    ]
