"""Pages of teams for administrators: the list, and the members of one team."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_id
from visibility.models import Team
from visibility.screens.save_conflicts import (
    SEEN,
    conflict_with_latest_entry,
    fingerprint_of_values,
    has_changed_since,
    latest_change_of,
)
from visibility.web.author import author_of
from visibility.web.people import team_changes
from visibility.web.people.form_values import stored_team_values, team_values_by_label
from visibility.web.people.team_changes import MAX_MEMBERS, InvalidTeam
from visibility.web.permissions import Permission, require_permission

LIST_URL = "/teams"


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def team_list(request: HttpRequest) -> HttpResponse:
    """`/teams?after=`: the teams; POST creates one."""
    if request.method != "POST":
        return _render_list(request)
    title = request.POST.get("title", "").replace("\0", "")[:400]
    try:
        team = team_changes.create_team(title, by=author_of(request))
    except InvalidTeam as error:
        return _render_list(request, error)
    return HttpResponseRedirect(f"{LIST_URL}/{team.slug}")


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
@transaction.atomic
def team_page(request: HttpRequest, slug: str) -> HttpResponse:
    """`/teams/<slug>`: the members and the default owner; POST saves them."""
    teams = Team.objects.select_related("default_owner").filter(slug=slug)
    if request.method == "POST":
        teams = teams.select_for_update(of=("self",))
    team = teams.first()
    if team is None:
        raise Http404
    if request.method != "POST":
        return _render_team(request, team)
    if has_changed_since(request.POST.get(SEEN, ""), stored_team_values(team)):
        return _render_team(request, team, is_conflict=True)
    members, default_owner = _entered(request)
    try:
        team_changes.change_team(
            slug, members=members, default_owner=default_owner, by=author_of(request)
        )
    except InvalidTeam as error:
        return _render_team(request, team, error)
    messages.success(request, f"The team {team.title} is saved.")
    return HttpResponseRedirect(f"{LIST_URL}/{slug}")


def _render_list(request: HttpRequest, error: InvalidTeam | None = None) -> HttpResponse:
    after = request.GET.get("after", "").replace("\0", "")[:80]
    rows = team_changes.list_teams(after=after, limit=team_changes.PAGE_SIZE + 1)
    shown = rows[: team_changes.PAGE_SIZE]
    context = {
        "teams": shown,
        "is_first": not after,
        "next": urlencode({"after": shown[-1].title}) if len(rows) > len(shown) else "",
        "problem": str(error) if error else "",
        "entered": request.POST.get("title", ""),
    }
    return render(request, "people/teams.html", context, status=422 if error else 200)


def _render_team(
    request: HttpRequest,
    team: Team,
    error: InvalidTeam | None = None,
    *,
    is_conflict: bool = False,
) -> HttpResponse:
    members = list(team.members.values_list("pk", flat=True))
    condition = Q(is_active=True) | Q(pk__in=members)
    people = User.objects.filter(condition).order_by("first_name", "last_name", "username")
    chosen, owner = members, team.default_owner_id
    stored, conflict = stored_team_values(team), None
    if error or is_conflict:
        chosen, owner = _entered(request)
    if is_conflict:
        # Members are also changed on their own pages.
        changed = User.objects.filter(pk__in=set(members) ^ set(chosen))
        names = list(changed.values_list("username", flat=True))
        conflict = conflict_with_latest_entry(
            stored,
            team_values_by_label(chosen, owner),
            latest_change_of(("team.changed", [team.title]), ("person.changed", names)),
            now=database_now(),
            form_id="team-form",
            reload_url=f"{LIST_URL}/{team.slug}",
        )
    context = {
        "team": team,
        "people": [(user, user.pk in set(chosen)) for user in people[:MAX_MEMBERS]],
        "owner": owner,
        "errors": {e.name: e.sentence for e in error.errors} if error else {},
        "seen": fingerprint_of_values(stored),
        "conflict": conflict,
    }
    status = 409 if is_conflict else 422 if error else 200
    return render(request, "people/team.html", context, status=status)


def _entered(request: HttpRequest) -> tuple[list[int], int | None]:
    """The members and the default owner."""
    members = [parse_row_id(text) or 0 for text in request.POST.getlist("members")]
    return members, parse_row_id(request.POST.get("default_owner", ""))


urlpatterns = [
    path("teams", team_list),
    path("teams/<slug:slug>", team_page),
]
