"""`manage.py demo` sets up the simulated distributor."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from visibility.models import AuditEntry, SlaRule, Source

pytestmark = pytest.mark.django_db


def test_simulated_erp_does_not_use_the_port_of_the_web_server(
    settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR, settings.DEMO = str(tmp_path), True
    settings.PUBLIC_URL = "http://127.0.0.1:8123"
    file = tmp_path / "run" / "demo.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"erp_port": 8123}))  # the port that it had at the last start
    call_command("demo")
    setup = json.loads(file.read_text())
    assert setup["erp_port"] not in (0, 8123)


def test_demo_rules_are_created_as_people_create_them(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR, settings.DEMO = str(tmp_path), True
    for _ in range(2):
        call_command("demo")
    entries = AuditEntry.objects.filter(action="rule.created").order_by("pk")
    assert list(entries.values_list("object", flat=True)) == [
        "rule stuck-in-released",
        "rule no-tracking-scan",
    ]
    rule = SlaRule.objects.get(code="stuck-in-released")
    assert (rule.team, rule.calendar.code, rule.enabled) == ("Warehouse", "warehouses", True)


def test_new_erp_replaces_the_old_one_and_the_choice_stays(
    settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR, settings.DEMO = str(tmp_path), True
    call_command("demo", erp="both", cut_over_days=3)
    call_command("demo")
    new, old = Source.objects.get(slug="new_erp"), Source.objects.get(slug="erp")
    assert (new.connector, new.config["replaces"]) == ("tryton", "erp")
    assert (old.connector, old.expect_every) == ("business_central", None)
    setup = json.loads((tmp_path / "run" / "demo.json").read_text())
    assert (setup["erp"], setup["cut_over_days"]) == ("both", 3)
    assert len({setup["erp_port"], setup["new_erp_port"], 0}) == 3
    for change in ({"erp": "tryton"}, {"cut_over_days": 4}):
        with pytest.raises(CommandError, match="--erp both --cut-over-days 3"):
            call_command("demo", **change)
