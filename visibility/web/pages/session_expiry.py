"""When the session of the browser ends: asked by the page, which warns before and can extend it."""

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods


@never_cache
@require_http_methods(["GET", "POST"])
def session_expiry(request: HttpRequest) -> JsonResponse:
    """`GET /session`: the seconds until the session ends, 0 without one. `POST` extends it."""
    if not request.user.is_authenticated:
        return JsonResponse({"seconds_left": 0})
    if request.method == "POST":
        try:
            request.session.save()
        except UpdateError:  # ended meanwhile
            return JsonResponse({"seconds_left": 0})
    ends_at = (
        Session.objects.filter(session_key=request.session.session_key)
        .values_list("expire_date", flat=True)
        .first()
    )
    left = (ends_at - timezone.now()).total_seconds() if ends_at else 0
    return JsonResponse({"seconds_left": max(int(left), 0)})


urlpatterns = [path("session", session_expiry, name="session")]
