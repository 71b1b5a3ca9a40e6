"""`manage.py rule`: list, add, change and archive SLA rules."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from visibility.alerts.change_sla_rules import (
    ArchivedRule,
    OutdatedRuleVersion,
    RuleChangeResult,
    UnknownRule,
    archive_rule,
    change_rule,
    create_rule,
)
from visibility.alerts.rule_values import InvalidRuleChange
from visibility.db.database_time import database_now
from visibility.formatting import count_with_noun
from visibility.models import Severity
from visibility.screens.rules import queries
from visibility.sla.parameters import parameter_fields
from visibility.sla.registry import rule_kinds

TEXT_OPTIONS = (
    ("title", "the name of the rule"),
    ("team", "the title of the team that owns its alerts; it is created if there is none"),
    ("calendar", "the code of the calendar whose working hours count"),
    ("response", "what the team is expected to do about an alert"),
    ("consequence", "what happens if nobody does"),
)
PAGE = 200


class Command(BaseCommand):
    """Manage rules from the command line, with the checks of the pages and the API."""

    help = "List the SLA rules, or add, change or archive one."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        subcommands = parser.add_subparsers(dest="action", required=True)
        list_parser = subcommands.add_parser("list", help="list all rules as sentences")
        list_parser.add_argument(
            "--archived", action="store_true", help="the archived rules instead of the others"
        )
        add_parser = subcommands.add_parser(
            "add",
            help="add a rule; it is checked against all orders at once",
            epilog=_kinds_help_text(),
            formatter_class=RawDescriptionHelpFormatter,
        )
        add_parser.add_argument("kind", choices=sorted(rule_kinds()), help="the kind of the rule")
        add_parser.add_argument(
            "--code", default="", help="letters, digits and hyphens (default: made of the title)"
        )
        add_parser.add_argument(
            "--disabled", action="store_true", help="save it without opening alerts"
        )
        change_parser = subcommands.add_parser(
            "change",
            help="change a rule; what you do not name stays",
            epilog=_kinds_help_text(),
            formatter_class=RawDescriptionHelpFormatter,
        )
        change_parser.add_argument("code", help="the code of the rule")
        state = change_parser.add_mutually_exclusive_group()
        state.add_argument(
            "--enable", dest="enabled", action="store_const", const=True, help="open alerts again"
        )
        state.add_argument(
            "--disable",
            dest="enabled",
            action="store_const",
            const=False,
            help="pause the rule: its clocks stop and its alerts close",
        )
        for subparser in (add_parser, change_parser):
            _add_field_options(subparser)
        archive_parser = subcommands.add_parser(
            "archive",
            help="end a rule and hide it from lists; its alerts close, its history stays",
        )
        archive_parser.add_argument("code", help="the code of the rule")

    def handle(self, *args: Any, **options: Any) -> None:
        actions = {
            "list": self._list_rules,
            "add": self._add_rule,
            "change": self._change_rule,
            "archive": self._archive_rule,
        }
        try:
            actions[options["action"]](options)
        except InvalidRuleChange as error:
            raise CommandError("\n".join(error.errors.values())) from error
        except UnknownRule as error:
            raise CommandError(f"No rule has the code {error}.") from error
        except (OutdatedRuleVersion, ArchivedRule) as error:
            raise CommandError(str(error)) from error

    def _list_rules(self, options: dict[str, Any]) -> None:
        after = ""
        while page := queries.list_rule_summaries(
            after=after, limit=PAGE, archived=options["archived"]
        ):
            for summary in page:
                rule = summary.rule
                state = "enabled" if rule.enabled else "disabled"
                self.stdout.write(f"{rule.code:<30} {state:<9} {rule.severity:<9} {rule.team}")
                scope = f" Applies only to {summary.scope_text}." if summary.scope_text else ""
                self.stdout.write(f"    {summary.sentence or summary.problem}{scope}")
            after = page[-1].rule.code

    def _add_rule(self, options: dict[str, Any]) -> None:
        values = {"kind": options["kind"], "code": options["code"], **_values(options)}
        if options["disabled"]:
            values["enabled"] = False
        result = create_rule(values, by=None, now=database_now())
        self.stdout.write(f"added {result.rule.code}")
        self._print_sentence_and_check(result)

    def _change_rule(self, options: dict[str, Any]) -> None:
        values = _values(options)
        if options["enabled"] is not None:
            values["enabled"] = options["enabled"]
        result = change_rule(options["code"], values, version=None, by=None, now=database_now())
        if not result.changed:
            self.stdout.write("nothing was changed")
            return
        self.stdout.write(f"saved as version {result.rule.version}")
        self._print_sentence_and_check(result)

    def _archive_rule(self, options: dict[str, Any]) -> None:
        result = archive_rule(options["code"], version=None, by=None, now=database_now())
        self.stdout.write(f"archived {result.rule.code}")

    def _print_sentence_and_check(self, result: RuleChangeResult) -> None:
        summary = queries.summarize_rule(result.rule)
        self.stdout.write(summary.sentence or summary.problem)
        if result.refolded_orders:
            orders = count_with_noun(result.refolded_orders, "order")
            self.stdout.write(f"{orders} will be checked by the worker")


def _add_field_options(parser: ArgumentParser) -> None:
    for name, help_text in TEXT_OPTIONS:
        parser.add_argument(f"--{name}", help=help_text)
    parser.add_argument("--severity", choices=Severity.values, help="of new alerts")
    parser.add_argument(
        "--params",
        nargs="*",
        metavar="KEY=VALUE",
        help="parameters of the kind; durations are hours",
    )
    parser.add_argument(
        "--scope",
        nargs="*",
        metavar="KEY=VALUE",
        help="what the rule applies to; nothing after it: everything",
    )


def _values(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that were named on the command line."""
    names = ("severity", *(name for name, _ in TEXT_OPTIONS))
    values = {name: options[name] for name in names if options[name] is not None}
    for name in ("params", "scope"):
        if options[name] is not None:
            values[name] = dict(_pairs(options[name]))
    return values


def _pairs(texts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise CommandError(f"{text!r} is not KEY=VALUE")
        yield name, value


def _kinds_help_text() -> str:
    """Return each kind with its parameters and the fields of its scope."""
    lines = ["kinds of rules, with their parameters and scope:"]
    for code, kind in sorted(rule_kinds().items()):
        lines.append(f"  {code}: {kind.title}. {kind.meaning}")
        for field in parameter_fields(kind.params_type):
            default = json.dumps(field.type.serialize(field.default))
            unit = f" ({field.form_unit_hint})" if field.form_unit_hint else ""
            lines.append(f"      {field.name}{unit}, default {default}: {field.text.help}")
        lines.append(f"      scope: {', '.join(kind.scope_fields)}")
    return "\n".join(lines)
