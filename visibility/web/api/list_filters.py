"""Endpoint of the filters of lists."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.screens.list_registry import LISTS
from visibility.screens.lists.list_filters import FilterKind
from visibility.web.api.base import ApiView
from visibility.web.api.common_serializers import EnumField, PermissionFilteredSerializer
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission
from visibility.web.saved_view_requests import readable_list


class FilterValueSerializer(PermissionFilteredSerializer):
    """A value of a filter with its label."""

    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # not DRF's `label`


class ListFilterSerializer(PermissionFilteredSerializer):
    """A filter. `choices`: all values; `suggestions`: frequent values, most frequent first."""

    name = serializers.CharField(help_text="The query parameter of the page and of the API.")
    label = serializers.CharField()  # type: ignore[assignment]  # not DRF's `label`
    kind = EnumField(FilterKind)
    description = serializers.CharField()
    is_repeatable = serializers.BooleanField()
    choices = FilterValueSerializer(many=True)
    suggestions = FilterValueSerializer(many=True)


class ListFiltersSerializer(PermissionFilteredSerializer):
    """The filters of a list that you may use."""

    list = EnumField(LISTS)
    filters = ListFilterSerializer(many=True)


class ListFiltersView(ApiView):
    """`GET /lists/<list>/filters`."""

    http_method_names = ["get", "head"]
    required_permissions = (Permission.ORDERS,)

    @extend_schema(operation_id="list_filters", responses=ListFiltersSerializer)
    def get(self, request: Request, code: str) -> Response:
        """Retrieve the filters of a list with their choices and suggested values."""
        definition = readable_list(code, request.user)
        viewer = viewer_of_request(request._request)
        suggestions = definition.suggestions(viewer)
        filters = [each for each in definition.filters.values() if viewer.may(each.permission)]
        return Response(
            {
                "list": definition.code,
                "filters": [
                    {
                        "name": each.name,
                        "label": each.label,
                        "kind": each.kind.value,
                        "description": each.description,
                        "is_repeatable": each.is_repeatable,
                        "choices": _values(each.choices.items()),
                        "suggestions": _values(suggestions.get(each.name, ())),
                    }
                    for each in filters
                ],
            }
        )


def _values(pairs: Any) -> list[dict[str, str]]:
    return [{"value": value, "label": label} for value, label in pairs]
