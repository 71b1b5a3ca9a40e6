"""Pages of people for administrators: the list, an invitation, and one person."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from visibility.db.data_scope import DIMENSIONS
from visibility.db.database_time import database_now
from visibility.models import AccountLink, AccountLinkPurpose, Team
from visibility.notify.account_links import LIFETIMES, account_link_path
from visibility.notify.mail import has_mail_server
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.save_conflicts import (
    SEEN,
    conflict_with_latest_entry,
    fingerprint_of_values,
    has_changed_since,
    latest_change_of,
)
from visibility.web.author import author_of
from visibility.web.people import accounts, people_list
from visibility.web.people.accounts import InvalidPerson, PersonValues, UnknownPerson
from visibility.web.people.form_values import entered_person_values, stored_person_values
from visibility.web.people.people_list import PeopleFilter, Person
from visibility.web.people.single_sign_on.links import linked_issuers, unlink_person
from visibility.web.permission_labels import ROLE_TITLES
from visibility.web.permissions import (
    Permission,
    UserRole,
    require_permission,
    signed_in_user,
)

LIST_URL = "/people"
MAX_TEAMS = 200
MAX_SCOPE_TEXT = 50_000
TEXT_FIELDS = ("username", "first_name", "last_name", "email", "role")


@require_safe
@require_permission(Permission.ADMINISTER)
def people_page(request: HttpRequest) -> HttpResponse:
    """`/people?q=&role=&state=&after=`: everyone who has an account."""
    asked = _filter_of(request)
    after = request.GET.get("after", "").replace("\0", "")[:150]
    rows = people_list.list_people(asked, after=after, limit=people_list.PAGE_SIZE + 1)
    shown, now = rows[: people_list.PAGE_SIZE], database_now()
    query = {name: request.GET[name] for name in ("q", "role", "state") if request.GET.get(name)}
    more = {**query, "after": shown[-1].user.get_username()} if len(rows) > len(shown) else {}
    context = {
        "people": [(person, displayed_time(person.last_sign_in, now)) for person in shown],
        "count": people_list.count_people(asked),
        "asked": asked,
        "state": request.GET.get("state", ""),
        "roles": list(ROLE_TITLES.items()),
        "is_first": not after,
        "next": urlencode(more),
        "first": urlencode(query),
        "is_filtered": bool(query),
    }
    return render(request, "people/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def invite(request: HttpRequest) -> HttpResponse:
    """`/people/new`: create an account; the response to POST shows its link once."""
    if request.method != "POST":
        return render(request, "people/invite.html", _form_context(request))
    try:
        user, link = accounts.invite_person(_posted_values(request), by=author_of(request))
    except InvalidPerson as error:
        return render(request, "people/invite.html", _form_context(request, error), status=422)
    return _render_link(request, user, link)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
@transaction.atomic
def person_page(request: HttpRequest, number: int) -> HttpResponse:
    """`/people/<id>`: one person; POST saves names, address, role and teams."""
    if request.method != "POST":
        return _render_person(request, _person_or_404(number))
    with suppress(UnknownPerson):
        accounts.lock_person(number)
    person = _person_or_404(number)
    values = _posted_values(request)
    if person.user.pk == signed_in_user(request).pk:
        values = replace(values, username=None, role=None)
    if has_changed_since(request.POST.get(SEEN, ""), stored_person_values(person)):
        return _render_person(request, person, conflicting=values)
    try:
        accounts.change_person(number, values, by=author_of(request))
    except InvalidPerson as error:
        return _render_person(request, person, error)
    messages.success(request, f"{person.name} is saved. A new role applies at once.")
    return HttpResponseRedirect(f"{LIST_URL}/{number}")


@require_POST
@require_permission(Permission.ADMINISTER)
def create_link(request: HttpRequest, number: int) -> HttpResponse:
    """`POST /people/<id>/link`: the link is shown once, and sent if there is a mail server."""
    try:
        user, link = accounts.create_link_for_person(number, by=author_of(request))
    except InvalidPerson as error:
        return _render_person(request, _person_or_404(number), error)
    except UnknownPerson:
        raise Http404 from None
    return _render_link(request, user, link)


@require_POST
@require_permission(Permission.ADMINISTER)
def change_state_of_person(request: HttpRequest, number: int, action: str) -> HttpResponse:
    """`POST /people/<id>/<action>`: one of `ACTIONS`."""
    person = _person_or_404(number)
    change, sentence = ACTIONS[action]
    try:
        change(number, by=author_of(request))
    except InvalidPerson as error:
        return _render_person(request, person, error)
    messages.success(request, sentence.format(name=person.name))
    return HttpResponseRedirect(f"{LIST_URL}/{number}")


ACTIONS: dict[str, tuple[Callable[..., object], str]] = {
    "deactivate": (
        accounts.deactivate_person,
        "{name} is deactivated and signed out everywhere.",
    ),
    "reactivate": (accounts.reactivate_person, "{name} can sign in again."),
    "end-sessions": (accounts.end_sessions_of_person, "{name} is signed out everywhere."),
    "remove-second-factors": (
        accounts.remove_second_factors,
        "The second factors of {name} are removed, and all sessions ended.",
    ),
    "unlink": (unlink_person, "The link of {name} is removed, and all sessions ended."),
}


def _filter_of(request: HttpRequest) -> PeopleFilter:
    role = request.GET.get("role", "")
    state = request.GET.get("state", "")
    is_active = {"active": True, "no-factor": True, "deactivated": False}.get(state)
    q = request.GET.get("q", "").replace("\0", "").strip()[:100]
    role = role if role in set(UserRole) else ""
    return PeopleFilter(q, role, is_active, lacks_factor=state == "no-factor")


def _posted_values(request: HttpRequest) -> PersonValues:
    texts = {name: request.POST.get(name, "").replace("\0", "")[:400] for name in TEXT_FIELDS}
    # A form of an older page has no fields of the scope, which then stays.
    scope = {
        name: request.POST[name].replace("\0", "")[:MAX_SCOPE_TEXT].splitlines()
        for name in DIMENSIONS
        if name in request.POST
    }
    return PersonValues(
        **texts,
        teams=[slug[:60] for slug in request.POST.getlist("teams")],
        channels=scope.get("channels"),
        warehouses=scope.get("warehouses"),
        customers=scope.get("customers"),
    )


def _form_context(request: HttpRequest, error: InvalidPerson | None = None) -> dict[str, Any]:
    return {
        "errors": {e.name: e.sentence for e in error.errors} if error else {},
        "entered": request.POST.dict(),
        "chosen_teams": request.POST.getlist("teams"),
        "roles": list(ROLE_TITLES.items()),
        "teams": list(Team.objects.order_by("title")[:MAX_TEAMS]),
        "sends_mail": has_mail_server(),
    }


def _render_person(
    request: HttpRequest,
    person: Person,
    error: InvalidPerson | None = None,
    *,
    conflicting: PersonValues | None = None,
) -> HttpResponse:
    """The page; `conflicting`: what was entered while somebody else saved other values."""
    now = database_now()
    context = _form_context(request, error)
    stored, conflict = stored_person_values(person), None
    if "first_name" not in request.POST or not (error or conflicting):
        names = {name: getattr(person.user, name) for name in ("first_name", "last_name", "email")}
        scope = {name: "\n".join(getattr(person, name)) for name in DIMENSIONS}
        role = person.roles[0] if person.roles else ""
        context["entered"] = {**names, **scope, "role": role}
        context["chosen_teams"] = [slug for slug, _ in person.teams]
    if conflicting:
        # Teams are also changed on their own pages.
        stored_teams = {slug for slug, _ in person.teams}
        changed = stored_teams ^ set(conflicting.teams or stored_teams)
        teams = list(Team.objects.filter(slug__in=changed).values_list("title", flat=True))
        conflict = conflict_with_latest_entry(
            stored,
            entered_person_values(conflicting, person),
            latest_change_of(
                ("person.changed", [person.user.get_username()]), ("team.changed", teams)
            ),
            now=now,
            form_id="person-form",
            reload_url=f"{LIST_URL}/{person.user.pk}",
        )
    context |= {
        "seen": fingerprint_of_values(stored),
        "conflict": conflict,
        "one": person,
        "last_sign_in": displayed_time(person.last_sign_in, now),
        "joined": displayed_time(person.user.date_joined, now),
        "linked_issuers": linked_issuers(person.user),
        "is_self": person.user.pk == signed_in_user(request).pk,
        "mail": AccountLink.objects.filter(user=person.user)
        .exclude(mail_state="none")
        .order_by("-pk")
        .first(),
    }
    status = 409 if conflicting else 422 if error else 200
    return render(request, "people/person.html", context, status=status)


def _render_link(request: HttpRequest, user: User, link: AccountLink) -> HttpResponse:
    lifetime = LIFETIMES[AccountLinkPurpose(link.purpose)]
    context = {
        "owner": user,
        "link": link,
        "text": request.build_absolute_uri(account_link_path(link)),
        "duration": f"{lifetime.days} days" if lifetime.days else "30 minutes",
    }
    response = render(request, "people/link.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def _person_or_404(number: int) -> Person:
    person = people_list.load_person(number)
    if person is None:
        raise Http404
    return person


urlpatterns = [
    path("people", people_page),
    path("people/new", invite),
    path("people/<int:number>", person_page),
    path("people/<int:number>/link", create_link),
    *(
        path(f"people/<int:number>/{action}", change_state_of_person, {"action": action})
        for action in ACTIONS
    ),
]
