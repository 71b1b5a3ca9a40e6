"""Create the roles, the table of cached values, and the links with which people set passwords."""

from typing import Any

import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models

ROLES = ("customer_service", "executive", "operations", "integrator", "admin")
# Django's DatabaseCache: counts of wrong codes, and codes that were used already.
CREATE_CACHE_TABLE = """
CREATE TABLE visibility_cache (
    cache_key varchar(255) PRIMARY KEY,
    value text NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX visibility_cache_expires ON visibility_cache (expires);
"""


def create_roles(apps: Apps, _schema_editor: Any) -> None:
    """Create the group of each role that does not exist yet."""
    for name in ROLES:
        apps.get_model("auth", "Group").objects.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0038_snooze_ends"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(create_roles, migrations.RunPython.noop),
        migrations.RunSQL(CREATE_CACHE_TABLE, "DROP TABLE visibility_cache"),
        migrations.CreateModel(
            name="AccountLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=16, unique=True)),
                ("purpose", models.CharField(max_length=20)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("mail_state", models.CharField(default="none", max_length=10)),
                ("mail_attempts", models.SmallIntegerField(default=0)),
                ("mail_due_at", models.DateTimeField(null=True)),
                ("mail_error", models.CharField(default="", max_length=300)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "-id"], name="account_link_user"),
                    models.Index(
                        condition=models.Q(("mail_state", "waiting")),
                        fields=["mail_due_at"],
                        name="account_link_mail_due",
                    ),
                ],
            },
        ),
    ]
