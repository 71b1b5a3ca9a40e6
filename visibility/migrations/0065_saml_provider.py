"""Add the SAML identity provider of the organization, and sign-ins at it in progress."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0063_key_replacement_and_password_checks"),
    ]

    operations = [
        migrations.CreateModel(
            name="SamlSignIn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("request_id", models.CharField(max_length=64, unique=True)),
                ("relay_state", models.CharField(max_length=64, unique=True)),
                ("provider_version", models.IntegerField()),
                ("tester", models.IntegerField(null=True)),
                ("sent_at", models.DateTimeField(db_index=True)),
                ("received_at", models.DateTimeField(null=True)),
                ("assertion_key", models.CharField(max_length=64, null=True, unique=True)),
                ("sealed_result", models.TextField(default="")),
            ],
        ),
        migrations.CreateModel(
            name="SamlProvider",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                ("entity_id", models.CharField(max_length=195)),
                ("sign_in_address", models.CharField(max_length=500)),
                ("certificates", models.JSONField(default=list)),
                ("metadata_address", models.CharField(default="", max_length=500)),
                ("metadata_read_at", models.DateTimeField(null=True)),
                ("email_attribute", models.CharField(default="", max_length=200)),
                ("name_attribute", models.CharField(default="", max_length=200)),
                ("groups_attribute", models.CharField(default="", max_length=200)),
                ("group_roles", models.JSONField(default=list)),
                ("unknown_people", models.CharField(max_length=10)),
                ("trusts_email_addresses", models.BooleanField(default=False)),
                ("accepts_second_factor", models.BooleanField(default=False)),
                ("second_factor_context", models.CharField(default="", max_length=200)),
                ("is_enabled", models.BooleanField(default=False)),
                ("version", models.IntegerField(default=1)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="saml_provider_one_row"
                    )
                ],
            },
        ),
    ]
