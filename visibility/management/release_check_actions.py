"""Release checks from the command line: `manage.py source check`, `promote` and `rollback`."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from visibility.db.database_time import database_now
from visibility.models import Manifest, Source
from visibility.models.release_checks import ReleaseCheck, ReleaseCheckState
from visibility.pipeline import job_functions
from visibility.release_checks import results
from visibility.release_checks.order_differences import DifferenceKind
from visibility.release_checks.promote import CannotPromote, promote_check, roll_back_check
from visibility.release_checks.requests import CannotCheck, request_check
from visibility.release_checks.run_checks import run_release_checks

RELEASE_CHECK_ACTIONS = ("check", "promote", "rollback")
WAIT_SECONDS = 1.0


def add_release_check_parsers(subcommands: Any) -> None:
    """Add the subcommands."""
    check = subcommands.add_parser(
        "check", help="show what a draft, or the installed connector, would change"
    )
    check.add_argument("slug")
    check.add_argument("--draft", default="", metavar="MANIFEST", help="read with this draft")
    check.add_argument("--days", type=int, default=7, help="messages of so many days (1 to 92)")
    check.add_argument("--csv", default="", metavar="FILE", help="write all differences to a file")
    for action, help_text in (
        ("promote", "publish the draft of a check, and read its messages again"),
        ("rollback", "make the version before a promotion live, and read its messages again"),
    ):
        parser = subcommands.add_parser(action, help=help_text)
        parser.add_argument("check_id", type=int, metavar="CHECK")
        parser.add_argument(
            "--messages", type=int, required=True, help="the number of messages to read again"
        )


def apply_release_check_action(options: dict[str, Any], write: Callable[[str], object]) -> None:
    """Run a check and print its result, promote it, or roll it back. Raises CommandError."""
    if options["action"] == "check":
        _check(options, write)
        return
    check = results.find_check(options["check_id"])
    if check is None:
        raise CommandError(f"There is no check {options['check_id']}.")
    run = promote_check if options["action"] == "promote" else roll_back_check
    try:
        replay = run(check, messages=options["messages"], by=None, now=database_now())
    except CannotPromote as error:
        raise CommandError(str(error)) from error
    job_functions.ask_worker_to_run_job_now("process")
    count = len(replay.message_ids) if replay else 0
    write(f"{count} messages are read again" + (f" (replay {replay.pk})" if replay else ""))


def _check(options: dict[str, Any], write: Callable[[str], object]) -> None:
    source = Source.objects.filter(slug=options["slug"]).first()
    if source is None:
        raise CommandError(f"Unknown source {options['slug']!r}.")
    manifest = Manifest.objects.filter(slug=options["draft"]).first()
    if options["draft"] and manifest is None:
        raise CommandError(f"There is no manifest {options['draft']!r}.")
    now = database_now()
    try:
        check = request_check(
            source, manifest, since=now - timedelta(days=options["days"]), by=None, now=now
        )
    except CannotCheck as error:
        raise CommandError(str(error)) from error
    _wait_for_end(check)
    if check.state != ReleaseCheckState.READY:
        raise CommandError(f"Check {check.pk} {check.state}: {check.detail}")
    for line in _result_lines(check):
        write(line)
    if options["csv"]:
        with Path(options["csv"]).open("wb") as file:
            results.write_csv(check, file)


def _wait_for_end(check: ReleaseCheck) -> None:
    """Run the check here, or wait for the worker that runs it."""
    while results.is_in_progress(check):
        if not run_release_checks():
            time.sleep(WAIT_SECONDS)
        check.refresh_from_db()


def _result_lines(check: ReleaseCheck) -> list[str]:
    lines = [f"check {check.pk}", results.summary_sentence(check), *results.limit_sentences(check)]
    lines += [f"{row.orders:>8}  {row.item}" for row in results.kind_counts(check)]
    for kind in (DifferenceKind.MILESTONE, DifferenceKind.ALERT):
        counts = results.change_counts(check, kind)
        lines += [f"{row.orders:>8}  {row.item}: {row.change}" for row in counts]
    for change, label in results.MESSAGE_CHANGES.items():
        lines.append(f"{check.summary[change]:>8}  {label} (messages)")
    for kpi in check.summary["kpis"]:
        if kpi["before"] != kpi["after"]:
            texts = [
                f"{kpi[when]['numerator']}/{kpi[when]['denominator']}"
                for when in ("before", "after")
            ]
            lines.append(f"          {kpi['code']}: {texts[0]} -> {texts[1]}")
    return lines
