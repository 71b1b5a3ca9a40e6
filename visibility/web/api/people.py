"""Endpoints of people, for administrators. Passwords and second factors are not in the API.

An API token takes access away, and gives none: the other changes need a session.
"""

from collections.abc import Callable
from typing import Any

import orjson
from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.models import AccountLink
from visibility.notify.account_links import account_link_path
from visibility.web.api.base import ApiView, current_author
from visibility.web.api.common_serializers import (
    Rfc3339Field,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.people_serializers import (
    InvitationBody,
    PersonChangeBody,
    PersonSerializer,
    PersonWithLinkSerializer,
)
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidFieldsInput
from visibility.web.api.query_params import QueryParameter, enum_param
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    parse_body,
    read_body,
)
from visibility.web.author import Author
from visibility.web.people import accounts, people_list
from visibility.web.people.accounts import InvalidPerson, PersonValues, UnknownPerson
from visibility.web.people.people_list import PeopleFilter, Person
from visibility.web.permissions import Permission, UserRole

ROLE = enum_param("role", "Only people with this role.", UserRole)
STATE = QueryParameter(
    "state",
    "Only people who are deactivated, or who are not.",
    choices=("active", "deactivated"),
)
SEARCH = QueryParameter("q", "Words of the name, the username or the email address.")


@extend_schema_view(get=extend_schema(operation_id="people"))
class PeopleListView(ApiListView):
    """List the accounts, by username."""

    required_permissions = (Permission.ADMINISTER,)
    session_methods = frozenset({"POST"})
    http_method_names = ["get", "head", "post"]
    query_parameters = (SEARCH, ROLE, STATE, *PAGING)
    serializer_class = PersonSerializer

    def get_queryset(self) -> Any:
        """The people, loaded page by page."""
        states = {"active": True, "deactivated": False}
        asked = PeopleFilter(
            self.params.get("q", ""),
            self.params.get("role", ""),
            states.get(self.params.get("state", "")),
        )
        return KeysetRowLoader(
            lambda limit, after="": people_list.list_people(asked, after=after, limit=limit),
            lambda person: [person.user.username],
        )

    @extend_schema(
        operation_id="person_invite",
        request=InvitationBody,
        responses={201: PersonWithLinkSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Create an account, and the link with which the person sets a password."""

        def create(body: bytes, by: Author) -> tuple[User, AccountLink]:
            return accounts.invite_person(PersonValues(**parse_body(InvitationBody, body)), by=by)

        return respond_with_link(request, create, status=201)


class PersonView(ApiView):
    """`/people/<id>`."""

    http_method_names = ["get", "head", "patch"]
    required_permissions = (Permission.ADMINISTER,)
    session_methods = frozenset({"PATCH"})

    @extend_schema(operation_id="person", responses=PersonSerializer)
    def get(self, request: Request, person_id: int) -> Response:
        """Retrieve a person."""
        return Response(serialize(PersonSerializer, _person_or_404(person_id)))

    @extend_schema(
        operation_id="person_change", request=PersonChangeBody, responses=PersonSerializer
    )
    def patch(self, request: Request, person_id: int) -> HttpResponse:
        """Change a person. Fields that are not given stay."""
        return _change_and_respond(
            request,
            person_id,
            lambda body, by: accounts.change_person(
                person_id, PersonValues(**parse_body(PersonChangeBody, body)), by=by
            ),
        )


class PersonLinkView(ApiView):
    """`POST /people/<id>/link`."""

    required_permissions = (Permission.ADMINISTER,)
    session_methods = frozenset({"POST"})

    @extend_schema(
        operation_id="person_link", request=EmptyBody, responses={201: PersonWithLinkSerializer}
    )
    def post(self, request: Request, person_id: int) -> HttpResponse:
        """Create a link that sets a first or a new password. Earlier links no longer work."""

        def create(body: bytes, by: Author) -> tuple[User, AccountLink]:
            parse_body(EmptyBody, body)
            return accounts.create_link_for_person(person_id, by=by)

        return respond_with_link(request, create, status=201)


class PersonActionView(ApiView):
    """Base of the actions on a person that need no fields."""

    required_permissions = (Permission.ADMINISTER,)
    change: Callable[..., object]

    def post(self, request: Request, person_id: int) -> HttpResponse:
        """Change the person, and return them."""

        def change(body: bytes, by: Author) -> None:
            parse_body(EmptyBody, body)
            type(self).change(person_id, by=by)

        return _change_and_respond(request, person_id, change)


def person_action(
    operation: str,
    change: Callable[..., object],
    description: str,
    *,
    session_methods: frozenset[str] = frozenset(),
) -> Any:
    """The view of one action."""
    schema = extend_schema(
        operation_id=operation,
        description=description,
        request=EmptyBody,
        responses=PersonSerializer,
    )
    members = {"change": staticmethod(change), "session_methods": session_methods}
    view = type(operation, (PersonActionView,), members)
    return extend_schema_view(post=schema)(view)


DeactivatePersonView = person_action(
    "person_deactivate",
    accounts.deactivate_person,
    "Deactivate an account: its sessions end, and its API tokens are refused.",
)
ReactivatePersonView = person_action(
    "person_reactivate",
    accounts.reactivate_person,
    "Let a person sign in again.",
    session_methods=frozenset({"POST"}),
)
EndPersonSessionsView = person_action(
    "person_end_sessions", accounts.end_sessions_of_person, "Sign a person out everywhere."
)
RemoveSecondFactorsView = person_action(
    "person_remove_second_factors",
    accounts.remove_second_factors,
    "Remove the second factors of a person who lost them, and end all sessions.",
    session_methods=frozenset({"POST"}),
)


def respond_with_link(
    request: Request, create: Callable[[bytes, Author], tuple[User, AccountLink]], *, status: int
) -> HttpResponse:
    """Run an operation that creates a link, which only the first response contains."""
    body = read_body(request)
    created: list[str] = []

    def do() -> ApiResponse:
        try:
            user, link = create(body, current_author(request))
        except InvalidPerson as error:
            raise _input_error(error) from error
        except UnknownPerson:
            raise Http404 from None
        created.append(settings.PUBLIC_URL.rstrip("/") + account_link_path(link))
        content = serialize(PersonSerializer, _person_or_404(user.pk)) | {
            "link_expires_at": Rfc3339Field().to_representation(link.expires_at),
            "link_is_emailed": link.mail_due_at is not None,
        }
        return ApiResponse.with_json_body(content, status=status)

    response = run_idempotently(request, body, do)
    if created and response.status_code == status:
        # The stored response of an Idempotency-Key must not contain the link.
        response.content = orjson.dumps(orjson.loads(response.content) | {"link": created[0]})
    return response


def _change_and_respond(
    request: Request, person_id: int, change: Callable[[bytes, Author], object]
) -> HttpResponse:
    body = read_body(request)

    def do() -> ApiResponse:
        try:
            change(body, current_author(request))
        except InvalidPerson as error:
            raise _input_error(error) from error
        except UnknownPerson:
            raise Http404 from None
        person = serialize(PersonSerializer, _person_or_404(person_id))
        return ApiResponse.with_json_body(person)

    return run_idempotently(request, body, do)


def _input_error(error: InvalidPerson) -> Exception:
    """409 if the state of the account does not allow it, 400 if a field is wrong."""
    if all(not each.name for each in error.errors):
        return ConflictError(str(error))
    return InvalidFieldsInput(error.errors)


def _person_or_404(person_id: int) -> Person:
    person = people_list.load_person(person_id)
    if person is None:
        raise Http404
    return person
