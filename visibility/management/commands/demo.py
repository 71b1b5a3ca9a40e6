"""`manage.py demo`: create the users, sources and rules of the simulated distributor."""

import json
import os
import socket
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError
from django.db.models.functions import Now

from visibility.alerts.change_sla_rules import create_rule
from visibility.db.database_time import database_now
from visibility.ingest.add_source_and_rotate_secret import add_source
from visibility.ingest.source_secrets import decrypt_secrets
from visibility.management.demo_sources import demo_sources, erp_url
from visibility.models import SlaRule, Source, Subscription, WorkCalendar
from visibility.simulator.erp_landscape import CUT_OVER_DAYS, ErpChoice, ErpLandscape
from visibility.sla.calendar import DAYS
from visibility.sla.create_default_source_rules import create_source_rules_for_kinds_without_rule
from visibility.sla.silence_limits import (
    SILENCE_SETTING,
    silence_limit_of_settings,
)
from visibility.storage.organization import organization_time_zone
from visibility.web.permissions import UserRole

DEMO_USERS = {
    "clerk": (UserRole.CUSTOMER_SERVICE, "Clara", "Reyes"),
    "operations": (UserRole.OPERATIONS, "Owen", "Marsh"),
    "executive": (UserRole.EXECUTIVE, "Elena", "Voss"),
    "integrator": (UserRole.INTEGRATOR, "Ivan", "Petrov"),
    "admin": (UserRole.ADMIN, "Ada", "Lindqvist"),
}
ROUND_THE_CLOCK = {day: [["00:00", "24:00"]] for day in DAYS}
# Warehouse, carrier and time; no carrier: any.
DEMO_CUTOFFS = (
    ("Dallas", "UPS", "17:00"),
    ("Dallas", "FedEx", "18:30"),
    ("Dallas", "", "16:00"),
    ("3PL North", "", "18:00"),
)
DEMO_RULES: tuple[dict[str, Any], ...] = (
    {
        "code": "stuck-in-released",
        "kind": "stuck_in_released",
        "title": "Released orders ship within 4 working hours",
        "params": {"within": 4},
        "severity": "high",
        "team": "Warehouse",
        "response": "Call the shift lead: is it in a wave? If stock is short, re-promise.",
        "consequence": "Misses today's carrier cutoff and the promise date.",
    },
    {
        "code": "no-tracking-scan",
        "kind": "no_tracking_scan",
        "title": "Shipments are scanned by the carrier within 24 working hours",
        "params": {"within": 24},
        "severity": "medium",
        "team": "Carrier desk",
        "response": "Ask the carrier to trace the package, and check the dock for it.",
        "consequence": "The package may not have left, or the carrier may reject a claim.",
    },
)


class Command(BaseCommand):
    """Create the demo setup. Safe to run twice: existing users and rules stay unchanged."""

    help = "Create the users, sources and rules of the demo."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--erp",
            choices=[choice.value for choice in ErpChoice],
            help="the ERPs of the company; both: business_central until the cut-over, then tryton "
            "(business_central)",
        )
        parser.add_argument(
            "--cut-over-days",
            type=int,
            help="with --erp both: the cut-over was so many days before the first start (14)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError(
                "This command requires DEMO=1, because it creates users without passwords."
            )
        self._create_users()
        self._create_sla_rules()
        previous = _previous_setup()
        choice, days = _chosen_erps(previous, options["erp"], options["cut_over_days"])
        setup = self._create_or_update_sources(choice, days, previous)
        path = Path(settings.DATA_DIR) / "run" / "demo.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(setup, file, indent=1)
        for name, (role, first, last) in DEMO_USERS.items():
            role_name = role.value.replace("_", " ")
            self.stdout.write(
                f"login {name:<11} {role_name} ({first} {last}), one click, no password"
            )

    def _create_users(self) -> None:
        for name, (role, first, last) in DEMO_USERS.items():
            user, is_new = User.objects.get_or_create(
                username=name,
                defaults={"first_name": first, "last_name": last, "email": f"{name}@demo.invalid"},
            )
            if is_new:
                user.set_unusable_password()
                user.save(update_fields=["password"])
            user.groups.add(Group.objects.get_or_create(name=role.value)[0])
        operations = User.objects.get(username="operations")
        Subscription.objects.get_or_create(
            user=operations,
            channel="email",
            defaults={"channel_settings": {"address": operations.email}},
        )

    def _create_sla_rules(self) -> None:
        calendar, _ = WorkCalendar.objects.get_or_create(
            code="warehouses",
            defaults={
                "title": "Warehouses, around the clock",
                "zone": organization_time_zone(),
                "hours": ROUND_THE_CLOCK,
                "cutoffs": [
                    {"warehouse": warehouse, "carrier": carrier, "times": dict.fromkeys(DAYS, at)}
                    for warehouse, carrier, at in DEMO_CUTOFFS
                ],
            },
        )
        for rule in DEMO_RULES:
            if not SlaRule.objects.filter(code=rule["code"]).exists():
                create_rule({**rule, "calendar": calendar.code}, by=None, now=database_now())
        create_source_rules_for_kinds_without_rule()

    def _create_or_update_sources(
        self, choice: ErpChoice, cut_over_days: int, previous: Mapping[str, Any]
    ) -> dict[str, Any]:
        result: dict[str, Any] = {
            "url": settings.PUBLIC_URL,
            "erp": choice.value,
            "cut_over_days": cut_over_days,
            "sources": {},
        }
        systems = ErpLandscape(choice).system_by_source
        for slug, (connector, title, role, config, silence_limit) in demo_sources(choice).items():
            config_with_role = {**config, "role": role, SILENCE_SETTING: silence_limit}
            if slug in systems:
                port = _choose_erp_port(int(previous.get(f"{slug}_port", 0)))
                result[f"{slug}_port"] = port
                config_with_role["base_url"] = erp_url(systems[slug], port)
            source = Source.objects.filter(slug=slug).first()
            if source is None:
                source = add_source(
                    slug,
                    connector=connector,
                    config=config_with_role,
                    title=title,
                    now=database_now(),
                ).source
            Source.objects.filter(pk=source.pk).update(
                config=config_with_role,
                expect_every=silence_limit_of_settings(config_with_role),
                poll_every=timedelta(seconds=5),
                changed_at=Now(),
                owner="Integration",
            )
            secret = decrypt_secrets(source.sealed_secrets)[0].value
            result["sources"][slug] = {"hook": f"/hooks/{slug}", "secret": secret}
        return result


def _chosen_erps(
    previous: Mapping[str, Any], erp: str | None, days: int | None
) -> tuple[ErpChoice, int]:
    """The ERPs and the days since the cut-over: those of the first start. Raises CommandError."""
    stored = previous.get("erp", ErpChoice.BUSINESS_CENTRAL.value), previous.get("cut_over_days")
    wanted = erp or stored[0], days if days is not None else stored[1]
    if previous and wanted != stored:
        raise CommandError(
            f"This data folder has a demo with --erp {stored[0]} --cut-over-days {stored[1]}. Omit "
            "these options, or choose another folder, or delete the content of this with --fresh."
        )
    if wanted[1] is not None and wanted[1] < 0:
        raise CommandError("--cut-over-days must be 0 or more.")
    return ErpChoice(wanted[0]), CUT_OVER_DAYS if wanted[1] is None else wanted[1]


def _previous_setup() -> dict[str, Any]:
    """The setup of the last start; empty at the first one."""
    path = Path(settings.DATA_DIR) / "run" / "demo.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _choose_erp_port(wanted: int) -> int:
    """The wanted port if it is free, or else any free port, but not the web server's port."""
    taken = urlsplit(settings.PUBLIC_URL).port
    for port in (wanted, 0):
        if port and port == taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen = int(probe.getsockname()[1])
            if chosen != taken:
                return chosen
    raise CommandError("No port is free for the simulated ERP.")
