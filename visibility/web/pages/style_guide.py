"""The style guide: every component of the style sheet in every state, for developers."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.web.page_access import check_record
from visibility.web.permissions import Permission, has_permission

TONES = (
    ("ok", "Done"),
    ("running", "Moving"),
    ("waiting", "Waiting"),
    ("risk", "At risk"),
    ("late", "Late"),
    ("unknown", "Unknown"),
)
TOKENS = (
    *("ground", "surface", "sunken", "line", "line-strong", "ink", "ink-soft", "quiet", "link"),
    *("selected", "primary", "brand", "ok", "running", "waiting", "risk", "late", "unknown"),
)


def may_see_style_guide(user: User | AnonymousUser) -> bool:
    """Administrators may, and everybody while debugging."""
    return settings.DEBUG or has_permission(user, Permission.ADMINISTER)


@require_GET
@login_required
@check_record(may_see_style_guide)
def style_guide_view(request: HttpRequest) -> HttpResponse:
    """GET /styleguide."""
    if not may_see_style_guide(request.user):
        raise PermissionDenied(Permission.ADMINISTER.value)
    context = {
        "tones": TONES,
        "tokens": TOKENS,
        "chart_colors": range(1, 9),
        "steps": range(9),
        "themes": ("light", "dark"),
    }
    return render(request, "styleguide/page.html", context)


urlpatterns = [path("styleguide", style_guide_view, name="style-guide")]
