"""GET /sources-not-reporting: which sources do not report now, for the top bar of every page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET

from visibility.db.database_time import database_now
from visibility.screens.sources.current_states import load_source_chips
from visibility.screens.sources.role_and_state_labels import SourceState
from visibility.web.permissions import Permission, has_permission

# The states of sources that should report and do not: a paused one, or one that has not sent
# anything yet, need not.
MISSING_DATA = frozenset(SourceState) - {
    SourceState.LIVE,
    SourceState.PAUSED,
    SourceState.WAITING,
}


@require_GET
@login_required
def sources_not_reporting(request: HttpRequest) -> JsonResponse:
    """Return `{"titles": [...], "url": "/sources"}`.

    The URL is empty for those who may not see sources, `titles` for those who may not see orders
    either.
    """
    may_open = has_permission(request.user, Permission.SOURCES_SEE)
    may_know = may_open or has_permission(request.user, Permission.ORDERS)
    chips = load_source_chips(database_now()) if may_know else []
    titles = [chip.title for chip in chips if chip.state in MISSING_DATA]
    return JsonResponse({"titles": titles, "url": "/sources" if may_open else ""})


urlpatterns = [path("sources-not-reporting", sources_not_reporting)]
