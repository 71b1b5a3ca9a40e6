"""`/api/v1/rules`: sentence and schema of each rule, and validated changes."""

from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from tests.builders.sla_rules import create_rule
from tests.builders.users import signed_in
from visibility.models import AuditEntry, SlaRule
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db


@pytest.fixture
def ops() -> Client:
    create_rule(params={"within": 4})
    return signed_in(UserRole.OPERATIONS)


def patch(client: Client, body: dict[str, Any], **headers: str) -> Any:
    return client.patch("/api/v1/rules/stuck", body, "application/json", headers=headers)


def test_rule_has_its_sentence_and_the_schema_of_its_parameters(ops: Client) -> None:
    content = ops.get("/api/v1/rules/stuck").json()
    assert content == ops.get("/api/v1/rules").json()["items"][0]
    assert content["sentence"] == (
        "Alert when an order stays in released for more than 4 working hours."
    )
    assert (content["subject"], content["problem"]) == ("order", "")
    assert content["consequences"] == ["customer_service_delay", "revenue_leakage"]
    Draft202012Validator.check_schema(content["params_schema"])
    validator = Draft202012Validator(content["params_schema"])
    assert validator.is_valid(content["params"])
    assert not validator.is_valid({"within": 0})
    assert not validator.is_valid({"planet": 1})


def test_list_has_pages(ops: Client) -> None:
    for number in range(4):
        create_rule(code=f"r{number}")
    codes: list[str] = []
    cursor = ""
    while cursor is not None:
        page = ops.get(
            f"/api/v1/rules?page_size=2&cursor={cursor}" if cursor else "/api/v1/rules?page_size=2"
        ).json()
        codes += [item["code"] for item in page["items"]]
        cursor = page["next"]
    assert codes == ["r0", "r1", "r2", "r3", "stuck"]


def test_rule_of_an_unknown_kind_is_listed_with_its_problem(ops: Client) -> None:
    SlaRule.objects.update(kind="planet")
    content = ops.get("/api/v1/rules/stuck").json()
    assert (content["subject"], content["sentence"], content["params_schema"]) == ("", "", None)
    assert content["problem"] == "No kind of rule is called “planet”."
    assert patch(ops, {"params": {"within": 5}}).status_code == 400
    assert patch(ops, {"enabled": False}).json()["enabled"] is False


def test_change_is_versioned_and_audited(ops: Client) -> None:
    answer = patch(ops, {"params": {"within": 8}, "team": "Dock", "version": 1})
    content = answer.json()
    assert answer.status_code == 200
    assert (content["params"], content["version"]) == ({"within": 8}, 2)
    assert content["owner_team"] == {"slug": "dock", "title": "Dock"}
    assert "8 working hours" in content["sentence"]
    assert AuditEntry.objects.get(action="rule.changed").detail["after"]["team"] == "Dock"


def test_outdated_version_is_a_conflict(ops: Client) -> None:
    answer = patch(ops, {"severity": "low", "version": 2})
    assert answer.status_code == 409
    assert "its version is 1 now" in answer.json()["detail"]


def test_every_invalid_field_is_named(ops: Client) -> None:
    answer = patch(ops, {"params": {"within": 0, "planet": 1}, "severity": "worst"})
    assert answer.status_code == 400
    assert {e["path"]: e["detail"] for e in answer.json()["errors"]} == {
        "params.within": "within must be at least 1 working minute",
        "params.planet": "stuck_in_released has no parameter 'planet'",
        "severity": "severity must be one of low, medium, high, critical",
    }
    assert SlaRule.objects.get().version == 1


@pytest.mark.parametrize(
    "body", [{"planet": 1}, {"params": []}, {"team": ""}, {"enabled": "perhaps"}, {"version": 0}]
)
def test_unreadable_body_is_refused(ops: Client, body: dict[str, Any]) -> None:
    assert patch(ops, body).status_code == 400
    assert SlaRule.objects.get().version == 1


def test_repeated_request_changes_the_rule_once(ops: Client) -> None:
    for _ in range(2):
        answer = patch(ops, {"severity": "low"}, **{"Idempotency-Key": "k1"})
        assert answer.json()["version"] == 2


def test_rule_needs_a_permission_and_must_exist(ops: Client) -> None:
    assert ops.get("/api/v1/rules/unknown").status_code == 404
    assert ops.patch("/api/v1/rules/unknown", {}, "application/json").status_code == 404
    clerk = signed_in(UserRole.CUSTOMER_SERVICE)
    assert clerk.get("/api/v1/rules/stuck").status_code == 403
    assert patch(clerk, {"severity": "low"}).status_code == 403


def create(client: Client, **changes: Any) -> Any:
    body = {"kind": "stuck_in_released", "team": "Dock", "code": "dock"} | changes
    return client.post("/api/v1/rules", body, "application/json")


def test_rule_is_created_changed_and_archived(ops: Client) -> None:
    answer = create(ops, params={"within": 6}, scope={"channel": "web"})
    content = answer.json()
    assert answer.status_code == 201
    assert (content["code"], content["version"], content["enabled"]) == ("dock", 1, True)
    assert content["consequence"]
    changed = ops.patch(
        "/api/v1/rules/dock",
        {"scope": {}, "title": "Dock", "response": "Call.", "consequence": "Late."},
        "application/json",
    ).json()
    assert (changed["scope"], changed["title"], changed["response"]) == ({}, "Dock", "Call.")
    archived = ops.post("/api/v1/rules/dock/archive", {"version": 2}, "application/json")
    assert archived.status_code == 200
    assert archived.json()["archived_at"]
    assert [r["code"] for r in ops.get("/api/v1/rules").json()["items"]] == ["stuck"]
    assert [r["code"] for r in ops.get("/api/v1/rules?archived=yes").json()["items"]] == ["dock"]
    assert ops.post("/api/v1/rules/dock/archive", {}, "application/json").status_code == 409
    refused = ops.patch("/api/v1/rules/dock", {"enabled": True}, "application/json")
    assert refused.status_code == 409
    assert "archived" in refused.json()["detail"]


def test_new_rule_needs_an_owner_a_response_and_a_free_code(ops: Client) -> None:
    answer = create(ops, code="stuck", response="", scope={"planet": "x"})
    assert answer.status_code == 400
    assert {e["path"] for e in answer.json()["errors"]} == {"code", "response", "scope.planet"}
    assert create(ops, team="").status_code == 400
    assert SlaRule.objects.count() == 1


def test_new_rule_needs_the_permission_to_edit(ops: Client) -> None:
    assert create(signed_in(UserRole.CUSTOMER_SERVICE)).status_code == 403
    assert (
        signed_in(UserRole.EXECUTIVE)
        .post("/api/v1/rules/stuck/archive", {}, "application/json")
        .status_code
        == 403
    )
    assert SlaRule.objects.get().archived_at is None
