"""Endpoints of teams, for administrators."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.models import Team
from visibility.models.teams import MAX_TITLE_LENGTH
from visibility.screens.save_conflicts import fingerprint_of_values, has_changed_since
from visibility.web.api.base import ApiView, current_author
from visibility.web.api.common_serializers import (
    PermissionFilteredSerializer,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidFieldsInput
from visibility.web.api.request_body_serializers import RequestBody, parse_body, read_body
from visibility.web.people import team_changes
from visibility.web.people.form_values import team_version_values
from visibility.web.people.team_changes import MAX_MEMBERS, InvalidTeam
from visibility.web.permissions import Permission

MAX_USER_ID = 2**31 - 1


class TeamWithMembersSerializer(PermissionFilteredSerializer):
    """A team. `default_owner`: who owns its new alerts at first."""

    slug = serializers.CharField()
    title = serializers.CharField()
    members = UserSerializer(many=True, source="members.all")
    default_owner = UserSerializer(allow_null=True)
    version = serializers.SerializerMethodField(
        help_text="Another text once the members or the default owner have changed."
    )

    def get_version(self, team: Team) -> str:
        """The fingerprint of what can be changed."""
        return fingerprint_of_values(team_version_values(team))


class TeamBody(RequestBody):
    """A new team."""

    title = serializers.CharField(max_length=MAX_TITLE_LENGTH)


class TeamChangeBody(RequestBody):
    """The fields to change, as user ids. `members` replaces all members.

    With `version`, the change is refused if the team has another one.
    """

    version = serializers.CharField(required=False, max_length=16)

    members = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MAX_USER_ID),
        required=False,
        max_length=MAX_MEMBERS,
    )
    default_owner = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MAX_USER_ID
    )


@extend_schema_view(get=extend_schema(operation_id="teams"))
class TeamListView(ApiListView):
    """List the teams with their members, by title."""

    required_permissions = (Permission.ADMINISTER,)
    http_method_names = ["get", "head", "post"]
    query_parameters = PAGING
    serializer_class = TeamWithMembersSerializer

    def get_queryset(self) -> Any:
        """The teams, loaded page by page."""
        return KeysetRowLoader(
            lambda limit, after="": team_changes.list_teams(after=after, limit=limit),
            lambda team: [team.title],
        )

    @extend_schema(
        operation_id="team_create", request=TeamBody, responses={201: TeamWithMembersSerializer}
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a team without members."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(TeamBody, body)
            by = current_author(request)
            try:
                team = team_changes.create_team(values["title"], by=by)
            except InvalidTeam as error:
                raise InvalidFieldsInput(error.errors) from error
            return ApiResponse.with_json_body(
                serialize(TeamWithMembersSerializer, team), status=201
            )

        return run_idempotently(request, body, do)


class TeamView(ApiView):
    """`/teams/<slug>`."""

    http_method_names = ["get", "head", "patch"]
    required_permissions = (Permission.ADMINISTER,)

    @extend_schema(operation_id="team", responses=TeamWithMembersSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Retrieve a team."""
        team = Team.objects.filter(slug=slug).first()
        if team is None:
            raise Http404
        return Response(serialize(TeamWithMembersSerializer, team))

    @extend_schema(
        operation_id="team_change", request=TeamChangeBody, responses=TeamWithMembersSerializer
    )
    def patch(self, request: Request, slug: str) -> HttpResponse:
        """Change the members and the default owner, who must be an active member."""
        body = read_body(request)

        @transaction.atomic
        def do() -> ApiResponse:
            values = parse_body(TeamChangeBody, body)
            stored = Team.objects.select_for_update(of=("self",)).filter(slug=slug).first()
            if stored and has_changed_since(values.get("version", ""), team_version_values(stored)):
                raise ConflictError("Someone else has changed the team: read it again.")
            try:
                team = team_changes.change_team(
                    slug,
                    by=current_author(request),
                    members=values.get("members"),
                    default_owner=values.get("default_owner"),
                    owner_stays="default_owner" not in values,
                )
            except InvalidTeam as error:
                raise InvalidFieldsInput(error.errors) from error
            if team is None:
                raise Http404
            return ApiResponse.with_json_body(serialize(TeamWithMembersSerializer, team))

        return run_idempotently(request, body, do)
