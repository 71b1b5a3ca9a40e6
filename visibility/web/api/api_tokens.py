"""Endpoints of API tokens."""

from typing import Any

import orjson
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from visibility.models import ApiToken
from visibility.web import api_tokens
from visibility.web.api.base import ApiView, current_author, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    UserSerializer,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, InvalidFieldsInput, InvalidInput
from visibility.web.api.request_body_serializers import (
    EmptyBody,
    RequestBody,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission


class ApiTokenSerializer(PermissionFilteredSerializer):
    """An API token, without its secret. `prefix`: its public part."""

    id = serializers.IntegerField(source="pk")
    title = serializers.CharField()
    prefix = serializers.CharField()
    owner = UserSerializer()
    is_service = serializers.BooleanField()
    permissions = serializers.ListField(child=EnumField(Permission))
    created_by = UserSerializer()
    created_at = Rfc3339Field()
    expires_at = Rfc3339Field()
    last_used_at = Rfc3339Field(allow_null=True)
    revoked_at = Rfc3339Field(allow_null=True)


class CreatedApiTokenSerializer(ApiTokenSerializer):
    """A new token. No later response contains `token`, not even the same Idempotency-Key's."""

    token = serializers.CharField(required=False)


class ApiTokenBody(RequestBody):
    """A token. `owner`: the user who answers for a service token, only for administrators."""

    title = serializers.CharField(max_length=api_tokens.MAX_TITLE_LENGTH)
    permissions = serializers.ListField(
        child=serializers.ChoiceField([p.value for p in Permission]), max_length=len(Permission)
    )
    days = serializers.IntegerField(
        default=api_tokens.DEFAULT_DAYS,
        min_value=api_tokens.MIN_DAYS,
        max_value=api_tokens.MAX_DAYS,
    )
    owner = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


@extend_schema_view(get=extend_schema(operation_id="tokens"))
class ApiTokenListView(ApiListView):
    """List your tokens and those that you created, the newest first.

    Administrators see all tokens.
    """

    http_method_names = ["get", "head", "post"]
    query_parameters = PAGING
    serializer_class = ApiTokenSerializer

    def get_queryset(self) -> Any:
        """The tokens, loaded page by page."""
        return KeysetRowLoader(
            lambda limit, before=None: api_tokens.list_api_tokens(
                current_user(self.request), before=before, limit=limit
            ),
            lambda token: [token.pk],
        )

    @extend_schema(
        operation_id="token_create",
        request=ApiTokenBody,
        responses={201: CreatedApiTokenSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a token. Only this response has its text.

        Tokens are created by people who are signed in, not with another token.
        """
        body = read_body(request)
        created: list[str] = []

        def do() -> ApiResponse:
            if isinstance(request.auth, ApiToken):
                raise PermissionDenied("An API token cannot create tokens. Sign in instead.")
            values = parse_body(ApiTokenBody, body)
            by = current_author(request)
            try:
                token, text = api_tokens.create_api_token(
                    values["title"],
                    values["permissions"],
                    days=values["days"],
                    by=by,
                    service_owner=_service_owner(values.get("owner")),
                )
            except api_tokens.InvalidApiToken as error:
                raise InvalidFieldsInput(error.errors) from error
            created.append(text)
            return ApiResponse.with_json_body(serialize(ApiTokenSerializer, token), status=201)

        response = run_idempotently(request, body, do)
        if created and response.status_code == 201:
            # The stored response of an Idempotency-Key must not contain the token.
            response.content = orjson.dumps(orjson.loads(response.content) | {"token": created[0]})
        return response


class ApiTokenView(ApiView):
    """`/tokens/<id>`."""

    http_method_names = ["delete"]

    @extend_schema(
        operation_id="token_revoke", request=EmptyBody, responses={200: ApiTokenSerializer}
    )
    def delete(self, request: Request, token_id: int) -> HttpResponse:
        """Revoke a token: it is refused from now on. Administrators revoke any token."""
        body = read_body(request)

        def do() -> ApiResponse:
            parse_body(EmptyBody, body)
            by = current_author(request)
            token = api_tokens.revoke_api_token(token_id, by=by)
            if token is None:
                raise Http404
            return ApiResponse.with_json_body(serialize(ApiTokenSerializer, token))

        return run_idempotently(request, body, do)


def _service_owner(number: int | None) -> User | None:
    """Raises InvalidInput for the id of no active user."""
    if number is None:
        return None
    owner = User.objects.filter(pk=number, is_active=True).first()
    if owner is None:
        raise InvalidInput("owner", "There is no active user with this id.")
    return owner
