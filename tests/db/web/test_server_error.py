"""The page of an unexpected error has a reference that is in the log, too."""

import re

import pytest
from django.test import Client
from structlog.stdlib import get_logger
from structlog.testing import capture_logs

from tests.builders.users import signed_in
from visibility.screens.sources import source_columns
from visibility.web import server_error
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


def test_reference_on_the_page_is_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(source_columns, "load_source_health_reports", fail)
    known = signed_in(UserRole.INTEGRATOR)
    client = Client(raise_request_exception=False)
    client.cookies = known.cookies
    with capture_logs() as logs:
        monkeypatch.setattr(server_error, "log", get_logger("test"))
        response = client.get("/sources")
    page = response.content.decode()
    assert response.status_code == 500
    assert "secret detail" not in page
    reference = re.search(r'<code class="address">([0-9a-f]{12})</code>', page)
    assert reference is not None
    assert [entry["reference"] for entry in logs if "reference" in entry] == [reference[1]]
