"""`manage.py source`: add and list sources, rotate a secret, test a payload."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connectors.catalog import connectors_by_slug, own_manifest_problems
from connectors.sdk.connector import Connector, RawMessage
from connectors.sdk.manifest.folder import SUFFIX, load_manifest_as_connector_class
from connectors.sdk.manifest.problems import InvalidManifest
from connectors.sdk.payload import PayloadError
from visibility.db.database_time import database_now
from visibility.formatting import format_duration
from visibility.ingest.add_source_and_rotate_secret import (
    InvalidSource,
    add_source,
    change_settings,
    rotate_secret,
)
from visibility.ingest.check_source_settings import (
    find_setting_errors,
    stored_setting_errors,
)
from visibility.ingest.file_drop import DROP_SETTING
from visibility.ingest.parse_payload_without_storing import try_message
from visibility.ingest.reading_findings import (
    ReadMessage,
    find_in_messages,
    finding_lines,
    settings_of_source,
)
from visibility.ingest.source_secrets import WeakSecret, is_short
from visibility.management.connector_settings_help import connector_settings_help_text
from visibility.management.lint_and_draft_manifests import (
    draft_from_sample,
    lint_given_or_all_manifests,
)
from visibility.management.list_batches import batch_lines
from visibility.management.release_check_actions import (
    RELEASE_CHECK_ACTIONS,
    add_release_check_parsers,
    apply_release_check_action,
)
from visibility.management.source_actions import ACTIONS, apply_action_to_source
from visibility.models import Source
from visibility.screens.sources.connector_catalog import example_request
from visibility.screens.sources.reading_report import load_reading_report
from visibility.storage.published_manifests import refresh_published_manifests

WITHOUT_DATABASE = frozenset({"try", "lint", "draft"})


class Command(BaseCommand):
    """Manage sources from the command line. `try` works without a database."""

    help = "Add a source, test how a payload is parsed, rotate a secret, or list the sources."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        subcommands = parser.add_subparsers(dest="action", required=True)
        add_parser = subcommands.add_parser(
            "add",
            help="add a source",
            epilog=connector_settings_help_text(),
            formatter_class=RawDescriptionHelpFormatter,
        )
        add_parser.add_argument("slug")
        add_parser.add_argument("--connector", required=True)
        add_parser.add_argument("--secret", default="")
        add_parser.add_argument("--title", default="")
        add_parser.add_argument(
            "--config", nargs="*", action="extend", default=[], metavar="KEY=VALUE"
        )
        try_parser = subcommands.add_parser(
            "try", help="show the events of a payload without storing them"
        )
        try_parser.add_argument("connector", help="the name of a connector, or a manifest file")
        try_parser.add_argument("files", nargs="+", metavar="FILE")
        try_parser.add_argument("--header", action="append", default=[], metavar="K=V")
        try_parser.add_argument(
            "--config", nargs="*", action="extend", default=[], metavar="KEY=VALUE"
        )
        set_parser = subcommands.add_parser(
            "set", help="change settings of a source; KEY= removes a setting"
        )
        set_parser.add_argument("slug")
        set_parser.add_argument("pairs", nargs="+", metavar="KEY=VALUE")
        lint_parser = subcommands.add_parser(
            "lint", help="check manifests of connectors and their examples"
        )
        lint_parser.add_argument("files", nargs="*", metavar="FILE.yaml")
        draft_parser = subcommands.add_parser(
            "draft", help="propose a manifest from a sample (JSON, XML, CSV, TSV)"
        )
        draft_parser.add_argument("sample")
        draft_parser.add_argument("--name", default="", help="the name of the connector")
        rotate_parser = subcommands.add_parser(
            "rotate", help="create a new secret; the old one stays valid for a while"
        )
        rotate_parser.add_argument("slug")
        rotate_parser.add_argument(
            "--secret", default="", help="the new secret of the system (default: a random one)"
        )
        rotate_parser.add_argument(
            "--hours", type=int, default=24, help="how long the old secret stays valid (0 to 720)"
        )
        for action, help_text in (
            ("report", "show what the newest messages of a source lack"),
            ("batches", "list the newest batches of a source, and those that are late"),
            *ACTIONS.items(),
        ):
            subcommands.add_parser(action, help=help_text).add_argument("slug")
        add_release_check_parsers(subcommands)
        subcommands.add_parser("list", help="list all sources")

    def handle(self, *args: Any, **options: Any) -> None:
        handlers = {
            "add": self._add_source,
            "set": self._change_settings,
            "try": self._print_parsed_payloads,
            "lint": self._lint_manifests,
            "draft": self._draft_manifest,
            "rotate": self._rotate_secret,
            "report": self._print_reading_report,
            "batches": self._list_batches,
            **dict.fromkeys(ACTIONS, self._apply_action),
            **dict.fromkeys(RELEASE_CHECK_ACTIONS, self._apply_release_check_action),
            "list": self._list_sources,
        }
        if options["action"] not in WITHOUT_DATABASE:
            refresh_published_manifests()
        handlers[options["action"]](options)

    def _add_source(self, options: dict[str, Any]) -> None:
        config = _parse_key_value_pairs(options["config"])
        now = database_now()
        try:
            created = add_source(
                options["slug"],
                connector=options["connector"],
                config=config,
                secret=options["secret"],
                title=options["title"],
                now=now,
            )
        except InvalidSource as error:
            raise CommandError(str(error)) from error
        if is_short(created.secret):
            self.stderr.write("warning: the secret is shorter than 24 bytes and easy to guess")
        connector = created.source.build_connector()
        url = created.webhook_url + connector.webhook_url_query(created.secret)
        if connector.accepts_webhooks:
            self.stdout.write(f"hook    {url}")
        self.stdout.write(f"secret  {created.secret}")
        self.stdout.write("        (shown only once)")
        if created.source.next_poll_at:
            self.stdout.write(f"polls   every {format_duration(created.source.poll_every)}")
        if folder := created.source.config.get(DROP_SETTING):
            self.stdout.write(f"files   {folder}")
        example = example_request(created.source, url, created.secret, now)
        if connector.accepts_webhooks and example:
            self.stdout.write("try     (signatures with a timestamp are valid for five minutes)")
            self.stdout.write(f"        {example}")

    def _print_parsed_payloads(self, options: dict[str, Any]) -> None:
        kind = _find_or_load_connector_class(options["connector"])
        config = _parse_key_value_pairs(options["config"])
        if errors := find_setting_errors(kind, config):
            raise CommandError("\n".join(f"{error.name}: {error.sentence}" for error in errors))
        connector = kind({"source": kind.slug, **config})
        read: list[ReadMessage] = []
        for name in options["files"]:
            try:
                body = Path(name).read_bytes()
            except OSError as error:
                raise CommandError(f"{name}: {error.strerror}") from error
            given_headers = {
                k.lower(): v for k, v in _parse_key_value_pairs(options["header"]).items()
            }
            headers = {**connector.guess_headers(body), **given_headers}
            result = try_message(connector, RawMessage(body, headers, _system_clock_now()))
            self.stdout.write(json.dumps(result, ensure_ascii=False))
            read.append(ReadMessage(name, result.get("events", ()), result.get("parked", "")))
        # Standard output has one line of JSON for each file.
        findings = find_in_messages(read, settings=settings_of_source(kind, config))
        for line in finding_lines(findings.values()):
            self.stderr.write(line)

    def _print_reading_report(self, options: dict[str, Any]) -> None:
        source = Source.objects.filter(slug=options["slug"]).first()
        if source is None:
            raise CommandError(f"Unknown source {options['slug']!r}.")
        report = load_reading_report(source)
        self.stdout.write(f"{report.messages} messages and {report.events} events examined")
        for line in finding_lines(row.finding for row in report.findings):
            self.stdout.write(line)

    def _lint_manifests(self, options: dict[str, Any]) -> None:
        count = 0
        for path, problems in lint_given_or_all_manifests(
            options["files"], now=_system_clock_now()
        ):
            count += len(problems)
            for problem in problems:
                self.stderr.write(str(problem))
            if not problems:
                self.stdout.write(f"{path}: no problems")
        if count:
            raise CommandError(f"{count} problem{'s' * (count != 1)}")

    def _draft_manifest(self, options: dict[str, Any]) -> None:
        try:
            text = draft_from_sample(Path(options["sample"]), options["name"])
        except (OSError, PayloadError) as error:
            raise CommandError(f"{options['sample']}: {error}") from error
        self.stdout.write(text)

    def _rotate_secret(self, options: dict[str, Any]) -> None:
        source = Source.objects.filter(slug=options["slug"]).first()
        if source is None:
            raise CommandError(f"Unknown source {options['slug']!r}.")
        try:
            secret = rotate_secret(
                source,
                secret=options["secret"],
                overlap=timedelta(hours=options["hours"]),
                now=database_now(),
            )
        except WeakSecret as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"secret  {secret}")

    def _change_settings(self, options: dict[str, Any]) -> None:
        source = Source.objects.filter(slug=options["slug"]).first()
        if source is None:
            raise CommandError(f"Unknown source {options['slug']!r}.")
        try:
            change_settings(source, _parse_key_value_pairs(options["pairs"]), now=database_now())
        except InvalidSource as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"changed {source.slug}")

    def _list_batches(self, options: dict[str, Any]) -> None:
        for line in batch_lines(options["slug"]):
            self.stdout.write(line)

    def _apply_action(self, options: dict[str, Any]) -> None:
        apply_action_to_source(options["action"], options["slug"])

    def _apply_release_check_action(self, options: dict[str, Any]) -> None:
        apply_release_check_action(options, self.stdout.write)

    def _list_sources(self, options: dict[str, Any]) -> None:
        for problem in own_manifest_problems():
            self.stderr.write(str(problem))
        for source in Source.objects.order_by("slug"):
            state = "archived" if source.archived_at else "on" if source.enabled else "off"
            self.stdout.write(f"{source.slug}\t{source.connector}\t{source.role}\t{state}")
            for error in stored_setting_errors(source):
                self.stderr.write(f"{source.slug}: {error.name}: {error.sentence}")


def _find_or_load_connector_class(name: str) -> type[Connector]:
    """Return a connector by its name, or the one of a manifest file. Raises CommandError."""
    if name.endswith(SUFFIX):
        try:
            return load_manifest_as_connector_class(Path(name))
        except InvalidManifest as error:
            raise CommandError(str(error)) from error
    if name not in connectors_by_slug():
        refresh_published_manifests()
    if name not in connectors_by_slug():
        known = ", ".join(sorted(connectors_by_slug()))
        raise CommandError(f"Unknown connector {name!r}. Choose one of: {known}.")
    return connectors_by_slug()[name]


def _parse_key_value_pairs(texts: list[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise CommandError(f"{text!r} does not have the form KEY=VALUE.")
    return dict(text.split("=", 1) for text in texts)


def _system_clock_now() -> Any:
    """The receive time by this machine's clock: `source try` must work without a database."""
    from datetime import UTC, datetime

    return datetime.now(UTC)  # noqa: TID251  # nothing is stored
