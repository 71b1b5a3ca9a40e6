"""Endpoints of the groups of the alert inbox: by cause, order or customer."""

from typing import ClassVar

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.db.database_time import database_now
from visibility.models import Severity
from visibility.screens.alerts import groups
from visibility.screens.alerts.grouping import MAX_KEY, AlertGrouping, GroupSort
from visibility.screens.alerts.inbox import (
    InboxQuery,
    InboxViewName,
    alerts_of_view,
    list_matching_alert_ids,
)
from visibility.web.alert_actions import ALERT_ACTIONS
from visibility.web.api.alert_actions import apply_action_to_alerts, parse_action_fields
from visibility.web.api.alert_detail_bulk_serializers import BulkResponseSerializer
from visibility.web.api.base import ApiView, current_user, is_integrator_only, user_permissions
from visibility.web.api.common_serializers import (
    DecimalTextField,
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize_all,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.problem_responses import ApiResponse
from visibility.web.api.query_params import InvalidValue, QueryParameter, enum_param
from visibility.web.api.request_body_serializers import (
    AlertActionField,
    OptionalNoteBody,
    SnoozeUntilField,
    UserIdOrMeField,
    parse_body,
    read_body,
)
from visibility.web.permissions import Permission

MAX_GROUP_ALERTS = 500
GROUPINGS = [by for by in AlertGrouping if by is not AlertGrouping.NONE]


class AlertGroupMoneySerializer(PermissionFilteredSerializer):
    """A sum of money at risk in one currency."""

    amount = DecimalTextField()
    currency = serializers.CharField()


class AlertGroupSerializer(PermissionFilteredSerializer):
    """A group of alerts. `owner` is the name of the owner of all of them, else empty."""

    restricted_fields: ClassVar = {"money_at_risk": Permission.PRICES}

    key = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    alerts = serializers.IntegerField()
    orders = serializers.IntegerField()
    severity = EnumField(Severity)
    earliest_due_at = Rfc3339Field()
    owner = serializers.CharField()
    unassigned = serializers.IntegerField()
    # The sum in each currency; alerts without an amount are not in it.
    money_at_risk = AlertGroupMoneySerializer(source="money", many=True, required=False)


class AlertGroupPageSerializer(PermissionFilteredSerializer):
    """A page of groups. `total`: of all pages; `next_start`: null on the last one."""

    items = AlertGroupSerializer(many=True)
    total = serializers.IntegerField()
    next_start = serializers.IntegerField(allow_null=True)


class GroupBulkResponseSerializer(BulkResponseSerializer):
    """One result per alert. `remaining`: alerts of the group for another request."""

    remaining = serializers.IntegerField()


class GroupActionBody(OptionalNoteBody):
    """One action on the alerts of a group. `to` is for `assign`, `until` is for `snooze`."""

    group = serializers.CharField(max_length=MAX_KEY)
    view = serializers.ChoiceField(
        [view.value for view in InboxViewName], required=False, default=InboxViewName.OPEN.value
    )
    action = AlertActionField()
    to = UserIdOrMeField(allow_null=True, required=False)
    until = SnoozeUntilField(required=False)


def _parse_start(value: str) -> int:
    if not value.isascii() or not value.isdecimal() or not int(value[:9]) >= 1:
        raise InvalidValue("must be an integer of at least 1")
    return min(int(value[:9]), groups.MAX_START)


class AlertGroupListView(ApiView):
    """`GET /alerts/groups`."""

    required_permissions = (Permission.ALERTS_SEE,)
    query_parameters = (
        QueryParameter(
            "by",
            "What makes a group. Default: cause, a rule and the warehouse, source or status text.",
            choices=tuple(by.value for by in GROUPINGS),
        ),
        enum_param("view", "View of the inbox. Default: open.", InboxViewName),
        enum_param("severity", "Alert severity.", Severity),
        QueryParameter("rule", "Code of the SLA rule."),
        QueryParameter("team", "Title of the team that owns the alert."),
        enum_param("sort", "Order of the groups. Default: worst.", GroupSort),
        QueryParameter(
            "start",
            "The `next_start` of the previous page.",
            _parse_start,
            openapi_format="integer",
        ),
    )

    @extend_schema(operation_id="alert_groups", responses=AlertGroupPageSerializer)
    def get(self, request: Request) -> Response:
        """List the groups of the alerts of a view, the most severe first."""
        query = InboxQuery(
            user_id=current_user(request).pk,
            view=InboxViewName(self.params.get("view", InboxViewName.OPEN)),
            severity=self.params.get("severity", ""),
            rule=self.params.get("rule", ""),
            team=self.params.get("team", ""),
            group_sort=GroupSort(self.params.get("sort", GroupSort.SEVERITY)),
            sources_only=is_integrator_only(request),
            by=AlertGrouping(self.params.get("by", AlertGrouping.CAUSE)),
            contacts=Permission.CONTACTS in user_permissions(request),
        )
        page = groups.load_group_page(query, database_now(), start=self.params.get("start", 0))
        items = serialize_all(
            AlertGroupSerializer, page.groups, permissions=user_permissions(request)
        )
        return Response({"items": items, "total": page.total, "next_start": page.next_start})


class AlertGroupActionView(ApiView):
    """`POST /alerts/groups/act`."""

    required_permissions = (Permission.ALERTS_NOTE,)

    @extend_schema(
        operation_id="alert_group_act",
        request=GroupActionBody,
        responses={200: GroupBulkResponseSerializer, 207: GroupBulkResponseSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Apply one action to up to 500 alerts of a group that are in the view now.

        Returns 207 if some of them were rejected. `remaining` counts the alerts beyond the limit.
        """
        body = read_body(request)

        def do() -> ApiResponse:
            fields = parse_body(GroupActionBody, body)
            what, group, view = (fields.pop(name) for name in ("action", "group", "view"))
            self.required_permissions = (ALERT_ACTIONS[what].permission,)
            self.check_permissions(request)
            query = InboxQuery(
                user_id=current_user(request).pk,
                view=InboxViewName(view),
                group=group,
                sources_only=is_integrator_only(request),
                contacts=Permission.CONTACTS in user_permissions(request),
            )
            now = database_now()
            ids = list_matching_alert_ids(query, now=now, limit=MAX_GROUP_ALERTS)
            if not ids:
                raise Http404
            many = alerts_of_view(query, now).count()
            action_fields = parse_action_fields(what, fields, request)
            results = apply_action_to_alerts(what, ids, request, action_fields)
            status = 200 if all(result["status"] == 200 for result in results) else 207
            return ApiResponse.with_json_body(
                {"results": results, "remaining": max(many - len(ids), 0)}, status=status
            )

        return run_idempotently(request, body, do)
