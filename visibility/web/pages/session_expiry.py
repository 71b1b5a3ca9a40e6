"""When the session of the browser ends: asked by the page, which warns before and can extend it."""

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from visibility.db.database_time import database_now


@never_cache
@require_http_methods(["GET", "POST"])
def session_expiry(request: HttpRequest) -> JsonResponse:
    """`GET /session`: the seconds until the session ends; 401 without one. `POST` extends it."""
    if not request.user.is_authenticated:
        return JsonResponse({"seconds_left": 0}, status=401)
    if request.method == "POST":
        try:
            request.session.save()
        except UpdateError:  # ended meanwhile
            return JsonResponse({"seconds_left": 0}, status=401)
    ends_at = (
        Session.objects.filter(session_key=request.session.session_key)
        .values_list("expire_date", flat=True)
        .first()
    )
    left = (ends_at - database_now()).total_seconds() if ends_at else 0
    return JsonResponse({"seconds_left": max(int(left), 0)})


urlpatterns = [path("session", session_expiry, name="session")]
