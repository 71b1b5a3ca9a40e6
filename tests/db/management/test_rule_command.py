"""`manage.py rule`: the same checks as the pages and the API."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.builders.sla_rules import create_rule
from visibility.management.commands.rule import Command
from visibility.models import AuditEntry, SlaRule

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rule", *arguments, stdout=out)
    return out.getvalue()


def test_rule_is_added_changed_listed_and_archived() -> None:
    text = run(
        *("add", "stuck_in_released", "--code", "dallas", "--team", "Night shift"),
        *("--params", "within=6", "--scope", "warehouse=Dallas"),
    )
    assert "added dallas" in text
    assert "more than 6 working hours" in text
    run("change", "dallas", "--params", "within=8", "--disable", "--scope")
    rule = SlaRule.objects.get()
    assert (rule.params, rule.scope, rule.enabled, rule.version) == ({"within": 8}, {}, False, 2)
    assert "saved as version 3" in run("change", "dallas", "--enable")
    listed = run("list")
    assert "dallas" in listed
    assert "Alert when an order stays in released for more than 8 working hours." in listed
    assert run("archive", "dallas") == "archived dallas\n"
    assert "dallas" not in run("list")
    assert "dallas" in run("list", "--archived")
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {
        *("rule.created", "rule.changed", "rule.archived")
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "stuck_in_released"), "team must be the title of a team"),
        (("add", "stuck_in_released", "--team", "A", "--params", "within=0"), "at least 1 working"),
        (("add", "stuck_in_released", "--team", "A", "--scope", "planet"), "is not KEY=VALUE"),
        (("change", "unknown", "--team", "A"), "No rule has the code unknown."),
        (("change", "stuck", "--response", ""), "must not be empty while the rule is enabled"),
        (("archive", "unknown"), "No rule has the code unknown."),
    ],
)
def test_refusal_says_why(arguments: tuple[str, ...], sentence: str) -> None:
    create_rule()
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)
    assert SlaRule.objects.get().version == 1


def test_help_names_kinds_parameters_and_scopes() -> None:
    parser = Command().create_parser("manage.py", "rule")
    subparsers = next(a for a in parser._actions if a.dest == "action")
    assert subparsers.choices is not None
    text = dict(subparsers.choices)["add"].format_help()
    assert "stuck_in_released: Stuck in released." in text
    assert "within (working hours), default 4" in text
    assert "scope: channel, warehouse, customer_no, carrier" in text
