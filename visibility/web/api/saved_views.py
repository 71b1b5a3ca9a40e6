"""Endpoints of saved views."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models import SavedView
from visibility.preferences import saved_views
from visibility.preferences.saved_views import (
    InvalidSavedView,
    NotOwnerOfSavedView,
    UnknownSavedView,
    ViewEditor,
)
from visibility.screens.list_registry import LISTS
from visibility.screens.lists.list_definition import (
    InvalidListQuery,
    Viewer,
)
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView
from visibility.web.api.problem_responses import ApiResponse, InvalidInput
from visibility.web.api.query_params import QueryParameter
from visibility.web.api.request_body_serializers import (
    MAX_ID,
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission
from visibility.web.saved_view_requests import (
    checked_saved_view_change,
    readable_list,
    readable_list_codes,
    readable_queries,
    view_editor,
)


class TeamSerializer(PermissionFilteredSerializer):
    """A team."""

    slug = serializers.CharField()
    title = serializers.CharField()


class SavedViewSerializer(PermissionFilteredSerializer):
    """A saved view of a list. `query`: a query string of the page and, mostly, of the API."""

    id = serializers.IntegerField()
    list = EnumField(LISTS)
    name = serializers.CharField()
    query = serializers.CharField()
    team = TeamSerializer(allow_null=True)
    owner = UserSerializer()
    created_at = Rfc3339Field()
    changed_at = Rfc3339Field()


class SavedViewChangeBody(RequestBody):
    """The fields to change. `team`: the slug of a team of yours, or null to stop sharing."""

    name = serializers.CharField(required=False, max_length=80)
    query = serializers.CharField(required=False, allow_blank=True, max_length=2_000)
    team = serializers.CharField(required=False, allow_null=True, max_length=60)


class SavedViewBody(SavedViewChangeBody):
    """A new saved view."""

    list = serializers.CharField(max_length=40)
    name = serializers.CharField(max_length=80)
    query = serializers.CharField(allow_blank=True, max_length=2_000)


@extend_schema_view(get=extend_schema(operation_id="saved_views"))
class SavedViewListView(ApiListView):
    """List your saved views and those that your teams share; administrators see all."""

    http_method_names = ["get", "head", "post"]
    required_permissions = (Permission.ORDERS,)
    serializer_class = SavedViewSerializer

    def declared_query_parameters(self) -> tuple[QueryParameter, ...]:
        """The list, for reading."""
        code = QueryParameter("list", "Code of a list.", choices=tuple(LISTS), lookup="list")
        return (code, *PAGING) if self.request.method != "POST" else ()

    def get_queryset(self) -> Any:
        """The views of lists that the person may open."""
        return saved_views.visible_saved_views(_editor(self.request)).filter(
            list__in=readable_list_codes(self.request.user)
        )

    def paginate_queryset(self, queryset: Any) -> list[Any]:
        """One page, without names of customers that the person may not see."""
        views = super().paginate_queryset(queryset)
        for view, query in zip(views, readable_queries(views, _viewer(self.request)), strict=True):
            view.query = query
        return views

    @extend_schema(
        operation_id="saved_view_add",
        request=SavedViewBody,
        responses={201: SavedViewSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Save the filters and the order of a list. The query string is checked."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(SavedViewBody, body)
            code = values.pop("list")
            if code not in LISTS:
                raise InvalidInput("list", f"must be one of {', '.join(LISTS)}")
            definition = readable_list(code, request.user)
            try:
                view = saved_views.add_saved_view(
                    code,
                    checked_saved_view_change(
                        definition, _viewer(request), **_team_as_text(values)
                    ),
                    editor=_editor(request),
                    now=database_now(),
                )
            except (InvalidSavedView, InvalidListQuery) as error:
                raise _invalid_input(error) from error
            return ApiResponse.with_json_body(_serialized(request, view), status=201)

        return run_idempotently(request, body, do)


class SavedViewView(ApiView):
    """`/saved-views/<id>`."""

    http_method_names = ["get", "head", "patch", "delete"]
    required_permissions = (Permission.ORDERS,)

    @extend_schema(operation_id="saved_view", responses=SavedViewSerializer)
    def get(self, request: Request, view_id: int) -> Response:
        """Retrieve a saved view."""
        return Response(_serialized(request, _view_or_404(request, view_id)))

    @extend_schema(
        operation_id="saved_view_change",
        request=SavedViewChangeBody,
        responses=SavedViewSerializer,
    )
    def patch(self, request: Request, view_id: int) -> HttpResponse:
        """Rename or share a saved view, or store another query. For its owner or administrators."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(SavedViewChangeBody, body)
            definition = LISTS[_view_or_404(request, view_id).list]
            try:
                view = saved_views.change_saved_view(
                    view_id,
                    checked_saved_view_change(
                        definition, _viewer(request), **_team_as_text(values)
                    ),
                    editor=_editor(request),
                    now=database_now(),
                )
            except UnknownSavedView:
                raise Http404 from None
            except NotOwnerOfSavedView as error:
                raise exceptions.PermissionDenied(str(error)) from error
            except (InvalidSavedView, InvalidListQuery) as error:
                raise _invalid_input(error) from error
            return ApiResponse.with_json_body(_serialized(request, view))

        return run_idempotently(request, body, do)

    @extend_schema(
        operation_id="saved_view_remove", request=EmptyBody, responses=SavedViewSerializer
    )
    def delete(self, request: Request, view_id: int) -> HttpResponse:
        """Remove a saved view. Returns it as it was. For its owner or administrators."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            removed = _serialized(request, _view_or_404(request, view_id))
            try:
                saved_views.remove_saved_view(view_id, editor=_editor(request), now=database_now())
            except UnknownSavedView:
                raise Http404 from None
            except NotOwnerOfSavedView as error:
                raise exceptions.PermissionDenied(str(error)) from error
            return ApiResponse.with_json_body(removed)

        return run_idempotently(request, body, do)


def _editor(request: Request) -> ViewEditor:
    return view_editor(current_user(request))


def _viewer(request: Request) -> Viewer:
    return viewer_of_request(request._request)


def _serialized(request: Request, view: SavedView) -> dict[str, Any]:
    [query] = readable_queries([view], _viewer(request))
    return serialize(SavedViewSerializer, view) | {"query": query}


def _view_or_404(request: Request, view_id: int) -> SavedView:
    try:
        view = saved_views.load_visible_saved_view(min(view_id, MAX_ID), _editor(request))
    except UnknownSavedView:
        raise Http404 from None
    if view.list not in readable_list_codes(request.user):
        raise Http404
    return view


def _team_as_text(values: dict[str, Any]) -> dict[str, Any]:
    """A team of null means no team; the change has an empty slug for it."""
    return {**values, "team": values["team"] or ""} if "team" in values else values


def _invalid_input(error: InvalidSavedView | InvalidListQuery) -> InvalidInput:
    return InvalidInput(error.field if isinstance(error, InvalidSavedView) else "query", str(error))
