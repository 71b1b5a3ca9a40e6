"""The sources of the simulated distributor."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db


def test_the_simulated_erp_leaves_the_web_its_port(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR, settings.DEMO = str(tmp_path), True
    settings.PUBLIC_URL = "http://127.0.0.1:8123"  # the port it would like
    call_command("demo")
    told = json.loads((tmp_path / "run" / "demo.json").read_text())
    assert told["erp_port"] not in (0, 8123)
