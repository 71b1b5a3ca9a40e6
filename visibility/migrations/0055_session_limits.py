"""How long sessions last is a setting of administrators."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("visibility", "0053_sources_maintenance_and_polls"),
    ]

    operations = [
        migrations.AddField(
            model_name="securitysettings",
            name="idle_minutes",
            field=models.IntegerField(db_default=720, default=720),
        ),
        migrations.AddField(
            model_name="securitysettings",
            name="session_hours",
            field=models.IntegerField(db_default=168, default=168),
        ),
    ]
