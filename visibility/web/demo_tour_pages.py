"""Who takes the tour of the demo, and which of its pages they have opened."""

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest

from visibility.preferences.demo_tour import add_tour_code
from visibility.screens.setup.demo_tour import TourReader
from visibility.web.permissions import UserRole, granted_permissions, roles


def tour_reader(user: User) -> TourReader:
    """The person with their permissions."""
    return TourReader(
        user.pk, granted_permissions(user), sources_only=roles(user) == {UserRole.INTEGRATOR}
    )


def note_tour_page(request: HttpRequest, code: str) -> None:
    """Record for the signed-in person that they have opened a page of the tour; only in a demo."""
    if settings.DEMO and request.user.is_authenticated:
        add_tour_code(request.user.pk, code)
