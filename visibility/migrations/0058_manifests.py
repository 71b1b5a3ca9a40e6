"""Manifests that people write in the browser: drafts, samples and published versions."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Only what is published changes how messages are read; a saved draft wakes up no process.
CREATE_TRIGGER = """
CREATE TRIGGER manifest_published AFTER INSERT OR UPDATE OR DELETE ON visibility_manifestversion
    FOR EACH STATEMENT EXECUTE FUNCTION visibility_renew_configuration_version();
"""
DROP_TRIGGER = "DROP TRIGGER manifest_published ON visibility_manifestversion;"


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0057_tracking_subscribers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Manifest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=40, unique=True)),
                ("text", models.TextField()),
                ("revision", models.IntegerField(default=1)),
                ("created_at", models.DateTimeField()),
                ("changed_at", models.DateTimeField()),
                (
                    "changed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
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
            name="ManifestSample",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("body", models.BinaryField()),
                ("added_at", models.DateTimeField()),
                (
                    "added_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "manifest",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.manifest",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("manifest", "name"), name="manifest_sample_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ManifestVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField()),
                ("text", models.TextField()),
                ("note", models.CharField(blank=True, default="", max_length=300)),
                ("restored_number", models.IntegerField(null=True)),
                ("published_at", models.DateTimeField()),
                (
                    "manifest",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="visibility.manifest",
                    ),
                ),
                (
                    "published_by",
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
                        fields=("manifest", "number"), name="manifest_version_unique"
                    )
                ],
            },
        ),
        migrations.RunSQL(CREATE_TRIGGER, DROP_TRIGGER),
    ]
