"""The sources that the top bar names because what they know is missing from the page."""

from datetime import timedelta

import pytest
from django.test import Client

from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


def test_only_sources_that_should_report_are_named() -> None:
    now = database_now()
    message(create_source("live", title="Shop"))
    message(create_source("silent", title="3PL North"), received_at=now - timedelta(hours=2))
    message(create_source("failing", title="Carrier", poll_error="HTTP 500"))
    create_source("new", title="New")
    create_source("off", title="Off", enabled=False)
    answer = signed_in(UserRole.INTEGRATOR).get("/sources-not-reporting").json()
    assert answer == {"titles": ["3PL North", "Carrier"], "url": "/sources"}


def test_a_role_that_may_not_see_sources_gets_no_link() -> None:
    assert signed_in(UserRole.EXECUTIVE).get("/sources-not-reporting").json()["url"] == ""


def test_sign_in_is_required() -> None:
    assert Client().get("/sources-not-reporting").status_code == 302
