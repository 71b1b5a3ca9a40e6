"""Add the identity provider of the organization, for sign-in by OpenID Connect."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0059_person_scopes"),
    ]

    operations = [
        migrations.CreateModel(
            name="IdentityProvider",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                ("issuer", models.CharField(max_length=200)),
                ("client_id", models.CharField(max_length=200)),
                ("sealed_client_secret", models.TextField()),
                ("scopes", models.CharField(max_length=300)),
                ("groups_claim", models.CharField(max_length=100)),
                ("group_roles", models.JSONField(default=list)),
                ("unknown_people", models.CharField(max_length=10)),
                ("accepts_second_factor", models.BooleanField(default=False)),
                ("second_factor_acr", models.CharField(default="", max_length=200)),
                ("is_enabled", models.BooleanField(default=False)),
                ("tested_at", models.DateTimeField(null=True)),
                ("version", models.IntegerField(default=1)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="identity_provider_one_row"
                    )
                ],
            },
        ),
    ]
