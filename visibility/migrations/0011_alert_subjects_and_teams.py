"""The subject of an alert, the money at risk of a clock, and teams as rows beside their titles."""

from hashlib import sha256
from typing import Any

import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.utils.text import slugify

BATCH_SIZE = 5000
SHIPMENT_RULES = ["no_tracking_scan"]


def fill_teams(apps: Apps, _schema_editor: Any) -> None:
    """Create a team for each title that rules and alerts contain, and refer to it."""
    team_model = apps.get_model("visibility", "Team")
    for name in ("SlaRule", "Alert"):
        rows = apps.get_model("visibility", name).objects.filter(owner_team=None).exclude(team="")
        for title in list(rows.order_by("team").values_list("team", flat=True).distinct()):
            if not title.strip():
                continue
            team = team_model.objects.filter(title=title.strip()).first()
            if team is None:
                slug = build_slug(title.strip(), team_model.objects)
                team = team_model.objects.create(title=title.strip(), slug=slug)
            update_in_batches(rows.filter(team=title), owner_team=team)


def fill_subject_kinds(apps: Apps, _schema_editor: Any) -> None:
    """Derive the subject of each alert from its source, or from the kind of its rule."""
    rows = apps.get_model("visibility", "Alert").objects.filter(subject_kind="")
    update_in_batches(rows.filter(source__isnull=False), subject_kind="source")
    update_in_batches(rows.filter(rule__kind__in=SHIPMENT_RULES), subject_kind="shipment")
    update_in_batches(rows.filter(order__isnull=False), subject_kind="order")


def update_in_batches(rows: Any, **values: Any) -> None:
    """Update all rows of a query, in the order of their ids."""
    last = 0
    while batch := list(
        rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE]
    ):
        rows.model.objects.filter(pk__in=batch).update(**values)
        last = batch[-1]


def build_slug(title: str, teams: Any) -> str:
    """Return the letters of a title, with a hash if there are none or another team has them."""
    letters = slugify(title)[:50]
    if letters and not teams.filter(slug=letters).exists():
        return letters
    return "-".join(filter(None, (letters, sha256(title.encode()).hexdigest()[:8])))


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("visibility", "0010_kpi_fact_changes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Team",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("title", models.CharField(max_length=80, unique=True)),
                (
                    "members",
                    models.ManyToManyField(related_name="teams", to=settings.AUTH_USER_MODEL),
                ),
            ],
        ),
        migrations.AddField(
            model_name="alert",
            name="subject_kind",
            field=models.CharField(db_default="", default="", max_length=20),
        ),
        migrations.AlterField(
            model_name="alert",
            name="kind",
            field=models.CharField(default="sla", max_length=60),
        ),
        migrations.AddField(
            model_name="alert",
            name="owner_team",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, to="visibility.team"
            ),
        ),
        migrations.AddField(
            model_name="slarule",
            name="owner_team",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, to="visibility.team"
            ),
        ),
        migrations.AddField(
            model_name="slaclock",
            name="money",
            field=models.DecimalField(decimal_places=4, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name="slaclock",
            name="currency",
            field=models.CharField(max_length=8, null=True),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=models.Q(("order__isnull", True), ("source__isnull", True)),
                fields=("rule", "kind", "subject_kind", "subject_key"),
                name="alert_subject_unique",
            ),
        ),
        # The indexes are created last, which PostgreSQL refuses while checks of rows are pending.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunPython(fill_teams, migrations.RunPython.noop),
        migrations.RunPython(fill_subject_kinds, migrations.RunPython.noop),
    ]
