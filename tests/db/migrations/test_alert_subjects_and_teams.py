"""Migration 0011 gives existing rules and alerts their teams, and alerts their subjects."""

from importlib import import_module

import pytest
from django.apps import apps

from tests.builders.alerts import alert, source_alert
from tests.builders.sla_rules import create_rule
from tests.builders.sources import create_source
from visibility.models import Alert, SlaRule, Team
from visibility.models.teams import find_or_create_team

pytestmark = pytest.mark.django_db
MIGRATION = import_module("visibility.migrations.0011_alert_subjects_and_teams")


def test_teams_are_created_from_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MIGRATION, "BATCH_SIZE", 2)
    for number in range(3):
        alert(f"SO-{number}", team="Carrier desk")
    alert("SO-4", team="")
    alert("SO-5", team="CARRIER DESK")
    MIGRATION.fill_teams(apps, None)
    assert sorted(Team.objects.values_list("title", flat=True)) == [
        "CARRIER DESK",
        "Carrier desk",
        "Warehouse",
    ]
    assert len(set(Team.objects.values_list("slug", flat=True))) == 3
    assert Alert.objects.filter(owner_team__title="Carrier desk").count() == 3
    assert Alert.objects.get(team="").owner_team is None
    assert SlaRule.objects.get().owner_team == find_or_create_team("Warehouse")
    assert all(a.team == a.owner_team.title for a in Alert.objects.all() if a.owner_team)


def test_subjects_are_derived_from_sources_and_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MIGRATION, "BATCH_SIZE", 2)
    for number in range(3):
        alert(f"SO-{number}")
    alert("SO-8", rule=create_rule(code="scan", kind="no_tracking_scan"))
    source_alert(create_source(title="WMS"))
    MIGRATION.fill_subject_kinds(apps, None)
    assert sorted(Alert.objects.values_list("subject_kind", flat=True)) == [
        *["order"] * 3,
        "shipment",
        "source",
    ]


def test_titles_with_the_same_letters_or_none_have_slugs_of_their_own() -> None:
    titles = ("Carrier desk", "CARRIER DESK", "carrier-desk", "物流", "倉庫", "¡Olé!")
    teams = [find_or_create_team(title) for title in titles]
    assert len({team.slug for team in teams if team}) == len(titles)
    assert teams == [find_or_create_team(f" {title} ") for title in titles]
    assert find_or_create_team("  ") is None
