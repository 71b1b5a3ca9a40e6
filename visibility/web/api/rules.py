"""Endpoints of the SLA rules: list, detail, create, change and archive."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from visibility.alerts.change_sla_rules import (
    ArchivedRule,
    OutdatedRuleVersion,
    RuleChangeResult,
    archive_rule,
    change_rule,
    create_rule,
)
from visibility.alerts.rule_values import (
    MAX_RULE_TITLE_LENGTH,
    MAX_TEXT_LENGTH,
    InvalidRuleChange,
)
from visibility.db.database_time import database_now
from visibility.models import Severity
from visibility.models.teams import MAX_TITLE_LENGTH
from visibility.pipeline import job_functions
from visibility.screens.rules import queries
from visibility.screens.rules.queries import RuleSummary
from visibility.screens.rules.recheck_progress import RecheckState
from visibility.sla.parameters import parameters_json_schema
from visibility.sla.rule import Consequence, RuleSubject
from visibility.web.api.base import ApiView, current_user
from visibility.web.api.common_serializers import (
    EnumField,
    PermissionFilteredSerializer,
    Rfc3339Field,
    serialize,
)
from visibility.web.api.idempotency import run_idempotently
from visibility.web.api.pagination import PAGING, ApiListView, KeysetRowLoader
from visibility.web.api.problem_responses import ApiResponse, ConflictError, InvalidInput
from visibility.web.api.query_params import QueryParameter
from visibility.web.api.request_body_serializers import RequestBody, parse_body, read_body
from visibility.web.permissions import Permission


class InvalidRuleInput(InvalidInput):
    """Fields of a rule are invalid, each with its sentence."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("", "; ".join(errors.values()))
        self.errors = [{"path": name, "detail": text} for name, text in errors.items()]


class RuleTeamSerializer(PermissionFilteredSerializer):
    """A team."""

    slug = serializers.CharField()
    title = serializers.CharField()


class RuleOrderProgressSerializer(PermissionFilteredSerializer):
    """Checked orders, and how many there are."""

    done = serializers.IntegerField()
    total = serializers.IntegerField()


class RuleRecheckSerializer(PermissionFilteredSerializer):
    """How many orders are checked against this version of the rule, open ones first.

    `waiting`: the check starts within seconds. The times are then null, and the numbers 0.
    """

    state = EnumField(RecheckState)
    open_orders = RuleOrderProgressSerializer()
    closed_orders = RuleOrderProgressSerializer()
    started_at = Rfc3339Field(allow_null=True)
    finished_at = Rfc3339Field(allow_null=True)


class RuleSerializer(PermissionFilteredSerializer):
    """An SLA rule. `sentence` is empty if the rule cannot run; `problem` says why."""

    code = serializers.CharField(source="rule.code")
    kind = serializers.CharField(source="rule.kind")
    title = serializers.CharField(source="rule.title")
    subject = EnumField([*RuleSubject, ""], source="kind.subject", default="")
    sentence = serializers.CharField()
    problem = serializers.CharField()
    meaning = serializers.CharField(source="breach_meaning")
    response = serializers.CharField(source="rule.response")
    consequence = serializers.CharField(source="rule.consequence")
    consequences = serializers.ListField(
        child=EnumField(Consequence), source="kind.consequences", default=list
    )
    params = serializers.JSONField(source="rule.params")
    params_schema = serializers.SerializerMethodField()
    scope = serializers.JSONField(source="rule.scope")
    severity = EnumField(Severity, source="rule.severity")
    team = serializers.CharField(source="rule.team")
    owner_team = RuleTeamSerializer(source="rule.owner_team", allow_null=True)
    calendar = serializers.CharField(source="rule.calendar.title")
    calendar_code = serializers.CharField(source="rule.calendar.code")
    enabled = serializers.BooleanField(source="rule.enabled")
    archived_at = Rfc3339Field(source="rule.archived_at", allow_null=True)
    version = serializers.IntegerField(source="rule.version")
    active_alerts = serializers.IntegerField()
    # Null for a rule about sources.
    recheck = RuleRecheckSerializer(allow_null=True)

    @extend_schema_field({"type": ["object", "null"]})
    def get_params_schema(self, summary: RuleSummary) -> dict[str, Any] | None:
        """The JSON Schema of `params`; null if the kind of the rule is unknown."""
        return parameters_json_schema(summary.kind.params_type) if summary.kind else None


class RuleFieldsBody(RequestBody):
    """The fields of a rule that can be changed. An enabled rule needs team and texts."""

    title = serializers.CharField(required=False, max_length=MAX_RULE_TITLE_LENGTH)
    params = serializers.DictField(required=False)
    # What the rule applies to; replaces the scope before. Empty: everything.
    scope = serializers.DictField(required=False)
    severity = serializers.CharField(required=False, max_length=20)
    team = serializers.CharField(required=False, max_length=MAX_TITLE_LENGTH)
    # The response that the team is expected to give, and what happens otherwise.
    response = serializers.CharField(required=False, max_length=MAX_TEXT_LENGTH, allow_blank=True)
    consequence = serializers.CharField(
        required=False, max_length=MAX_TEXT_LENGTH, allow_blank=True
    )
    enabled = serializers.BooleanField(required=False)
    # The code of the calendar whose working hours count.
    calendar = serializers.CharField(required=False, max_length=50)


class RuleChangeBody(RuleFieldsBody):
    """The fields to change. With `version`, the change is refused if the rule has another one."""

    version = serializers.IntegerField(required=False, min_value=1)


class NewRuleBody(RuleFieldsBody):
    """A new rule. What is not given comes from its kind; without `code`, the title makes it."""

    kind = serializers.CharField(max_length=60)
    code = serializers.CharField(required=False, max_length=50)
    team = serializers.CharField(max_length=MAX_TITLE_LENGTH)


class RuleArchiveBody(RequestBody):
    """With `version`, the request is refused if the rule has another one."""

    version = serializers.IntegerField(required=False, min_value=1)


@extend_schema_view(get=extend_schema(operation_id="rules"))
class RuleListView(ApiListView):
    """`GET` and `POST /rules`."""

    query_parameters = (
        *PAGING,
        QueryParameter(
            "archived", "`yes`: archived rules instead of the others.", choices=("yes", "no")
        ),
    )
    serializer_class = RuleSerializer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        is_read = request.method in {"GET", "HEAD"}
        self.required_permissions = (Permission.RULES_SEE if is_read else Permission.RULES_EDIT,)
        super().initial(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        """The rules in the order of their codes, loaded page by page."""
        archived = self.params.get("archived") == "yes"
        return KeysetRowLoader(
            lambda limit, *after: queries.list_rule_summaries(
                after="".join(after), limit=limit, archived=archived
            ),
            lambda summary: [summary.rule.code],
        )

    @extend_schema(operation_id="rule_create", request=NewRuleBody, responses={201: RuleSerializer})
    def post(self, request: Request) -> HttpResponse:
        """Create a rule. All orders are checked against it, and alerts open at once."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(NewRuleBody, body)
            return _answer_change(
                lambda: create_rule(values, by=current_user(request), now=database_now()),
                status=201,
            )

        return run_idempotently(request, body, do)


class RuleView(ApiView):
    """`/rules/<code>`."""

    http_method_names = ["get", "head", "patch"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        is_read = request.method in {"GET", "HEAD"}
        self.required_permissions = (Permission.RULES_SEE if is_read else Permission.RULES_EDIT,)
        super().initial(request, *args, **kwargs)

    @extend_schema(operation_id="rule", responses=RuleSerializer)
    def get(self, request: Request, code: str) -> Response:
        """Retrieve a rule with the JSON Schema of its parameters."""
        return Response(serialize(RuleSerializer, _rule_or_404(code)))

    @extend_schema(operation_id="rule_change", request=RuleChangeBody, responses=RuleSerializer)
    def patch(self, request: Request, code: str) -> HttpResponse:
        """Change a rule. Parameters that are not given stay; all orders are checked again."""
        body = read_body(request)

        def do() -> ApiResponse:
            values = parse_body(RuleChangeBody, body)
            _rule_or_404(code)
            version = values.pop("version", None)
            return _answer_change(
                lambda: change_rule(
                    code, values, version=version, by=current_user(request), now=database_now()
                )
            )

        return run_idempotently(request, body, do)


class RuleArchiveView(ApiView):
    """`POST /rules/<code>/archive`."""

    required_permissions = (Permission.RULES_EDIT,)

    @extend_schema(operation_id="rule_archive", request=RuleArchiveBody, responses=RuleSerializer)
    def post(self, request: Request, code: str) -> HttpResponse:
        """Archive a rule: its clocks stop, its alerts close, and its history stays.

        409 if it is archived already.
        """
        body = read_body(request)

        def do() -> ApiResponse:
            version = parse_body(RuleArchiveBody, body).get("version")
            _rule_or_404(code)
            return _answer_change(
                lambda: archive_rule(
                    code, version=version, by=current_user(request), now=database_now()
                )
            )

        return run_idempotently(request, body, do)


def _answer_change(change: Callable[[], RuleChangeResult], *, status: int = 200) -> ApiResponse:
    """Change a rule and answer with it. Raises what the API answers with."""
    try:
        result = change()
    except InvalidRuleChange as error:
        raise InvalidRuleInput(error.errors) from error
    except (OutdatedRuleVersion, ArchivedRule) as error:
        raise ConflictError(str(error)) from error
    if result.refolded_orders:
        job_functions.ask_worker_to_run_job_now("refold")
    return ApiResponse.with_json_body(
        serialize(RuleSerializer, _rule_or_404(result.rule.code)), status=status
    )


def _rule_or_404(code: str) -> RuleSummary:
    summary = queries.load_rule_summary(code)
    if summary is None:
        raise Http404
    return summary
