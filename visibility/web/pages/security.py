"""`/people/security`: whether everyone needs a second factor."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods

from visibility.db.database_time import database_now
from visibility.models import SecuritySettings
from visibility.web.board_changes import Author
from visibility.web.people import people_list, second_factor
from visibility.web.people.people_list import PeopleFilter
from visibility.web.people.second_factor import FixedByServer
from visibility.web.permissions import Permission, require_permission, signed_in_user

PAGE_URL = "/people/security"


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def security_page(request: HttpRequest) -> HttpResponse:
    """The requirement; POST changes it, after the password or a code was confirmed."""
    if request.method == "POST":
        response: HttpResponse = _change(request)
        return response
    return _render(request)


@reauthentication_required(app="allauth.mfa")  # type: ignore[untyped-decorator]  # no types
def _change(request: HttpRequest) -> HttpResponse:
    required = request.POST.get("required") == "yes"
    try:
        second_factor.change_requirement(
            required, by=Author(signed_in_user(request), database_now())
        )
    except FixedByServer:
        return _render(request, status=409)
    messages.success(
        request,
        "A second factor is required from now on."
        if required
        else "A second factor is no longer required.",
    )
    return HttpResponseRedirect(PAGE_URL)


def _render(request: HttpRequest, *, status: int = 200) -> HttpResponse:
    is_fixed = second_factor.is_fixed_by_server()
    context = {
        "is_required": second_factor.is_required(),
        "is_fixed": is_fixed,
        "last_change": SecuritySettings.objects.select_related("changed_by").first(),
        "without": people_list.count_people(PeopleFilter(is_active=True, lacks_factor=True)),
    }
    return render(request, "people/security.html", context, status=status)


urlpatterns = [path("people/security", security_page)]
