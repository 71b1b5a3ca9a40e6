"""Who may open the style guide."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.users import signed_in
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


def test_style_guide_is_for_administrators_and_for_everybody_while_debugging(
    settings: Settings,
) -> None:
    assert Client().get("/styleguide").status_code == 302
    assert signed_in(UserRole.ADMIN).get("/styleguide").status_code == 200
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    assert clerk.get("/styleguide").status_code == 403
    settings.DEBUG = True
    assert clerk.get("/styleguide").status_code == 200
