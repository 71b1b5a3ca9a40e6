"""manage.py demo: the people, sources and rules of the simulated distributor."""

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

from visibility.db.clock import database_now
from visibility.ingest.source_secrets import unseal
from visibility.ingest.source_setup import add
from visibility.models import SlaRule, Source, Subscription, WorkCalendar
from visibility.models.sla import Severity
from visibility.simulator.catalog import EDI_CUSTOMERS
from visibility.web.permissions import Role

PEOPLE = {
    "clerk": (Role.CUSTOMER_SERVICE, "Clara", "Reyes"),
    "operations": (Role.OPERATIONS, "Owen", "Marsh"),
    "executive": (Role.EXECUTIVE, "Elena", "Voss"),
    "integrator": (Role.INTEGRATOR, "Ivan", "Petrov"),
    "admin": (Role.ADMIN, "Ada", "Lindqvist"),
}
CUSTOMERS = {f"customer.{c.isa}": c.number for c in EDI_CUSTOMERS}
ERP_NUMBER = {"order_number": "sales_order@erp"}
EDI = {
    "own": "THROUGHLINE",
    "seller_order": "sales_order@erp",
    "invoice_number": "invoice@erp",
    **CUSTOMERS,
}
ERP = {
    "web_orders": "shop",
    "channel.WEB": "web",
    "channel.EDI": "edi",
    "channel.INSIDE": "inside",
}
# slug: connector, title, role, settings, how long it may be silent
SOURCES: dict[str, tuple[str, str, str, dict[str, str], timedelta | None]] = {
    "shop": ("shopify", "B2B shop", "shop", {}, timedelta(hours=2)),
    "edi": ("x12", "EDI gateway", "edi", EDI, timedelta(hours=4)),
    "erp": ("business_central", "ERP", "erp", ERP, timedelta(minutes=30)),
    "wms": ("shiphero", "Dallas warehouse", "wms", ERP_NUMBER, timedelta(hours=1)),
    "3pl": (
        "x12",
        "3PL North",
        "3pl",
        {"own": "THROUGHLINE", "depositor_order": "sales_order@erp"},
        timedelta(minutes=4),
    ),
    "carrier": ("easypost", "Carriers", "carrier", {}, timedelta(hours=1)),
    "finance": ("standard_webhooks", "Finance", "finance", ERP_NUMBER, timedelta(hours=4)),
}
ROUND_THE_CLOCK = {
    day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
}


class Command(BaseCommand):
    """Safe to run again: what is there stays."""

    help = "Make the demonstration's people, sources and rules."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Only with DEMO=1: this makes people without passwords.")
        self._people()
        self._rules()
        setup = self._sources()
        path = Path(settings.DATA_DIR) / "run" / "demo.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(setup, file, indent=1)
        for name, (role, first, last) in PEOPLE.items():
            words = role.value.replace("_", " ")
            self.stdout.write(f"login {name:<11} {words} ({first} {last}), one click, no password")

    def _people(self) -> None:
        for name, (role, first, last) in PEOPLE.items():
            user, made = User.objects.get_or_create(
                username=name,
                defaults={"first_name": first, "last_name": last, "email": f"{name}@demo.invalid"},
            )
            if made:
                user.set_unusable_password()
                user.save(update_fields=["password"])
            user.groups.add(Group.objects.get_or_create(name=role.value)[0])
        operations = User.objects.get(username="operations")
        Subscription.objects.get_or_create(
            user=operations, channel="email", defaults={"address": operations.email}
        )

    def _rules(self) -> None:
        dallas, _ = WorkCalendar.objects.get_or_create(
            code="warehouses",
            defaults={
                "title": "Warehouses, around the clock",
                "zone": settings.TIME_ZONE,
                "hours": ROUND_THE_CLOCK,
            },
        )
        SlaRule.objects.get_or_create(
            code="stuck-in-released",
            defaults={
                "kind": "stuck_in_released",
                "title": "Released orders ship within 4 working hours",
                "params": {"within": 4},
                "severity": Severity.HIGH,
                "team": "Warehouse",
                "calendar": dallas,
                "response": "Call the shift lead: is it waved? If stock is short, re-promise.",
                "consequence": "Misses today's carrier cut-off and the promised date.",
            },
        )
        SlaRule.objects.get_or_create(
            code="no-tracking-scan",
            defaults={
                "kind": "no_tracking_scan",
                "title": "Shipments are scanned by the carrier within 24 working hours",
                "params": {"within": 24},
                "severity": Severity.MEDIUM,
                "team": "Carrier desk",
                "calendar": dallas,
                "response": "Ask the carrier to trace the parcel; check the dock for leftovers.",
                "consequence": "A parcel that never left, or a claim the carrier will refuse.",
            },
        )

    def _sources(self) -> dict[str, Any]:
        port = _free_port(_known_port())
        result: dict[str, Any] = {"url": settings.PUBLIC_URL, "erp_port": port, "sources": {}}
        for slug, (connector, title, role, config, every) in SOURCES.items():
            wanted = {**config, "role": role}
            if slug == "erp":
                wanted["base_url"] = f"http://127.0.0.1:{port}/api/v2.0/companies(demo)"
            source = Source.objects.filter(slug=slug).first()
            if source is None:
                source = add(
                    slug, connector=connector, config=wanted, title=title, now=database_now()
                ).source
            Source.objects.filter(pk=source.pk).update(
                config=wanted,
                expect_every=every,
                poll_every=timedelta(seconds=5),
                changed_at=Now(),
                owner="Integration",
            )
            secret = unseal(source.sealed_secrets)[0].value
            result["sources"][slug] = {"hook": f"/hooks/{slug}", "secret": secret}
        return result


def _known_port() -> int:
    path = Path(settings.DATA_DIR) / "run" / "demo.json"
    return int(json.loads(path.read_text())["erp_port"]) if path.is_file() else 8123


def _free_port(wanted: int) -> int:
    """The wanted port of this machine if it is free, else any other; never the web's own."""
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
            return int(probe.getsockname()[1])
    raise CommandError("No free port for the simulated ERP.")
