"""The name, the color and the logo on the page for customers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0055_session_limits"),
    ]

    operations = [
        migrations.CreateModel(
            name="CustomerBrand",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("display_name", models.CharField(default="", max_length=80)),
                ("accent_color", models.CharField(default="", max_length=7)),
                ("logo", models.BinaryField(default=b"")),
                ("logo_format", models.CharField(default="", max_length=4)),
                ("logo_digest", models.CharField(default="", max_length=16)),
                ("version", models.IntegerField(default=1)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="customer_brand_one_row"
                    )
                ],
            },
        ),
    ]
