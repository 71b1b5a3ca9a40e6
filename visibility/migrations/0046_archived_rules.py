"""Add the time when a rule was archived."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("visibility", "0045_organization")]

    operations = [
        migrations.AddField(
            model_name="slarule",
            name="archived_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name="slarule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("archived_at__isnull", True), ("enabled", False), _connector="OR"
                ),
                name="archived_rule_is_disabled",
            ),
        ),
    ]
