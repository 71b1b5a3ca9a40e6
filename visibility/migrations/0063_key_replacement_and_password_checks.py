"""Record replacements of SECRET_KEY, digests of token secrets, and how passwords are checked."""

import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0061_identity_provider"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyReplacement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("fingerprint", models.CharField(max_length=16, unique=True)),
                (
                    "started_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="apitoken",
            name="secret_digest",
            field=models.CharField(db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="securitysettings",
            name="breach_check_error",
            field=models.CharField(db_default="", default="", max_length=300),
        ),
        migrations.AddField(
            model_name="securitysettings",
            name="breach_check_failed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="securitysettings",
            name="breach_check_url",
            field=models.CharField(
                db_default="https://api.pwnedpasswords.com/range/",
                default="https://api.pwnedpasswords.com/range/",
                max_length=200,
            ),
        ),
        migrations.AddField(
            model_name="securitysettings",
            name="breach_checked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="securitysettings",
            name="checks_breached_passwords",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="securitysettings",
            name="refused_password_terms",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=60), db_default=[], default=list, size=None
            ),
        ),
    ]
