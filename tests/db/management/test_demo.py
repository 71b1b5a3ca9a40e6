"""`manage.py demo` sets up the simulated distributor."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

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
