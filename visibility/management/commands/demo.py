"""`manage.py demo`: create the users, sources and rules of the simulated distributor."""

import json
import os
import socket
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
from visibility.models import SlaRule, Source, Subscription, WorkCalendar
from visibility.simulator.master_data import DALLAS, EDI_CUSTOMERS, NORTH
from visibility.sla.calendar import DAYS
from visibility.sla.create_default_source_rules import create_source_rules_for_kinds_without_rule
from visibility.sla.silence_limits import (
    SILENCE_SETTING,
    WAREHOUSES_SETTING,
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
CUSTOMER_SETTINGS = {f"customer.{c.isa}": c.number for c in EDI_CUSTOMERS}
ERP_ORDER_NUMBER = {"order_number": "sales_order@erp"}
# The ERP names the warehouse of an order, so alerts wait only for the one that ships it.
DALLAS_SETTINGS = {**ERP_ORDER_NUMBER, WAREHOUSES_SETTING: DALLAS}
NORTH_SETTINGS = {
    "own": "THROUGHLINE",
    "depositor_order": "sales_order@erp",
    WAREHOUSES_SETTING: NORTH,
}
EDI_SETTINGS = {
    "own": "THROUGHLINE",
    "seller_order": "sales_order@erp",
    "invoice_number": "invoice@erp",
    **CUSTOMER_SETTINGS,
}
ERP_SETTINGS = {
    "web_orders": "shop",
    "channel.WEB": "web",
    "channel.EDI": "edi",
    "channel.INSIDE": "inside",
}
# slug: connector, title, role, settings, silence limit
SOURCES: dict[str, tuple[str, str, str, dict[str, str], str]] = {
    "shop": ("shopify", "B2B shop", "shop", {}, "2 h"),
    "edi": ("x12", "EDI gateway", "edi", EDI_SETTINGS, "4 h"),
    "erp": ("business_central", "ERP", "erp", ERP_SETTINGS, "30 min"),
    "wms": ("shiphero", "Dallas warehouse", "wms", DALLAS_SETTINGS, "1 h"),
    "3pl": (
        "x12",
        "3PL North",
        "3pl",
        NORTH_SETTINGS,
        "4 min",
    ),
    "carrier": ("easypost", "Carriers", "carrier", {}, "1 h"),
    "finance": ("standard_webhooks", "Finance", "finance", ERP_ORDER_NUMBER, "4 h"),
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

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError(
                "This command requires DEMO=1, because it creates users without passwords."
            )
        self._create_users()
        self._create_sla_rules()
        setup = self._create_or_update_sources()
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

    def _create_or_update_sources(self) -> dict[str, Any]:
        port = _choose_erp_port(_previous_erp_port())
        result: dict[str, Any] = {"url": settings.PUBLIC_URL, "erp_port": port, "sources": {}}
        for slug, (connector, title, role, config, silence_limit) in SOURCES.items():
            config_with_role = {**config, "role": role, SILENCE_SETTING: silence_limit}
            if slug == "erp":
                config_with_role["base_url"] = f"http://127.0.0.1:{port}/api/v2.0/companies(demo)"
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


def _previous_erp_port() -> int:
    """The port of the last start, or 0 (any) at the first one."""
    path = Path(settings.DATA_DIR) / "run" / "demo.json"
    return int(json.loads(path.read_text())["erp_port"]) if path.is_file() else 0


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
