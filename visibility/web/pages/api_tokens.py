"""Pages of API tokens: the list with the form for a new one, and the new token, shown once."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from connectors.sdk.settings import SettingError
from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.web import api_tokens
from visibility.web.author import author_of
from visibility.web.permission_labels import PERMISSION_LABELS
from visibility.web.permissions import (
    Permission,
    granted_permissions,
    has_permission,
    signed_in_user,
)

LIST_URL = "/tokens"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def api_token_list(request: HttpRequest) -> HttpResponse:
    """`/tokens`: your tokens, for administrators all tokens; POST creates one and shows it once.

    The response to POST is the page itself: a redirect would have to store the token.
    """
    if request.method != "POST":
        return _render_list(request)
    try:
        token, text = api_tokens.create_api_token(
            request.POST.get("title", "").replace("\0", ""),
            [code[:40] for code in request.POST.getlist("permissions")],
            days=parse_row_id(request.POST.get("days", "")) or 0,
            by=author_of(request),
            service_owner=_service_owner(request),
        )
    except api_tokens.InvalidApiToken as error:
        return _render_list(request, error)
    context = {"token": token, "text": text, "api_url": request.build_absolute_uri("/api/v1")}
    response = render(request, "api_tokens/created.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@login_required
def revoke_api_token(request: HttpRequest, number: int) -> HttpResponse:
    """`POST /tokens/<id>/revoke`."""
    token = api_tokens.revoke_api_token(number, by=author_of(request))
    if token is None:
        raise Http404
    messages.success(request, f"The token “{token.title}” is revoked. It is refused from now on.")
    return HttpResponseRedirect(LIST_URL)


def _render_list(
    request: HttpRequest, error: api_tokens.InvalidApiToken | None = None
) -> HttpResponse:
    user, now = signed_in_user(request), database_now()
    before = parse_row_id(request.GET.get("before", ""))
    rows = api_tokens.list_api_tokens(user, before=before, limit=api_tokens.PAGE_SIZE + 1)
    shown = rows[: api_tokens.PAGE_SIZE]
    administers = has_permission(user, Permission.ADMINISTER)
    granted = granted_permissions(user)
    labels = PERMISSION_LABELS.items()
    context = {
        "tokens": [
            (
                token,
                [PERMISSION_LABELS[p] for p in Permission if p.value in token.permissions],
                token.is_valid_at(now) and token.owner.is_active,
                displayed_time(token.expires_at, now),
                displayed_time(token.last_used_at, now),
            )
            for token in shown
        ],
        "next": shown[-1].pk if len(rows) > len(shown) else "",
        "is_first": before is None,
        "choices": [(p.value, label) for p, label in labels if administers or p in granted],
        "owners": _possible_owners() if administers else [],
        "chosen": request.POST.getlist("permissions"),
        "entered": request.POST.dict(),
        "errors": {e.name: e.sentence for e in error.errors} if error else {},
        "days": api_tokens.DEFAULT_DAYS,
        "max_days": api_tokens.MAX_DAYS,
        "max_title_length": api_tokens.MAX_TITLE_LENGTH,
        "administers": administers,
    }
    return render(request, "api_tokens/list.html", context, status=422 if error else 200)


def _possible_owners() -> list[User]:
    return list(User.objects.filter(is_active=True).order_by("username")[:500])


def _service_owner(request: HttpRequest) -> User | None:
    """The owner that an administrator chose for a service token. Raises InvalidApiToken."""
    chosen = request.POST.get("owner", "")
    if not chosen:
        return None
    number = parse_row_id(chosen)
    owner = User.objects.filter(pk=number, is_active=True).first() if number else None
    if owner is None:
        raise api_tokens.InvalidApiToken([SettingError("owner", "Choose a person from the list.")])
    return owner


urlpatterns = [
    path("tokens", api_token_list),
    path("tokens/<int:number>/revoke", revoke_api_token),
]
