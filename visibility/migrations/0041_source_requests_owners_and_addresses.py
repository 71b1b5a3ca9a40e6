import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0040_team_owners_and_sign_in_security"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AllowedAddress",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("host", models.CharField(max_length=253)),
                ("port", models.IntegerField()),
                ("note", models.CharField(blank=True, default="", max_length=200)),
                (
                    "added_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.CreateModel(
            name="UnstoredRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("received_at", models.DateTimeField()),
                ("status", models.IntegerField()),
                ("reason", models.TextField(default="")),
                ("size", models.BigIntegerField(default=0)),
                ("is_test", models.BooleanField(default=False)),
                ("reading", models.JSONField(default=dict)),
            ],
        ),
        migrations.AddField(
            model_name="source",
            name="archived_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="source",
            name="owner_user",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("archived_at__isnull", True), ("enabled", False), _connector="OR"
                ),
                name="source_archived_is_disabled",
            ),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.CheckConstraint(
                condition=models.Q(("owner", ""), ("owner_user__isnull", True), _connector="OR"),
                name="source_one_owner",
            ),
        ),
        migrations.AddField(
            model_name="allowedaddress",
            name="added_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="unstoredrequest",
            name="source",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, to="visibility.source"
            ),
        ),
        migrations.AddConstraint(
            model_name="allowedaddress",
            constraint=models.UniqueConstraint(
                fields=("host", "port"), name="allowed_address_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="allowedaddress",
            constraint=models.CheckConstraint(
                condition=models.Q(("port__gte", 1), ("port__lte", 65535)),
                name="allowed_address_port",
            ),
        ),
        migrations.AddIndex(
            model_name="unstoredrequest",
            index=models.Index(fields=["source", "-id"], name="unstored_request_source"),
        ),
    ]
