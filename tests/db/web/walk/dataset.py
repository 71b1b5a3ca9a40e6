"""The data that the walk reads: the simulated distributor, its problems, and what people did."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db.models import Count
from django.test import Client

from tests.builders.cloudevents import cloudevent
from tests.builders.manifests import published_manifest
from tests.builders.release_checks import stored_check
from tests.builders.sources import cloudevent_message, create_source, message
from tests.reference import history
from visibility.db.database_time import database_now
from visibility.ingest.insert_messages import IncomingMessage, store_messages
from visibility.master_data.imports import Throttle
from visibility.models import (
    Alert,
    EventObjectLink,
    Identifier,
    IdentityDecision,
    InboundMessage,
    MasterImport,
    MessageDiscard,
    MessageReplay,
    Order,
    SavedView,
    ScreenLink,
    Source,
    Subscription,
    Team,
    TermMapping,
    WorkCalendar,
)
from visibility.pipeline import job_functions, record_and_retention_jobs
from visibility.simulator.faults import FaultRates
from visibility.simulator.generator import SimulatedWorld, WorldSetting
from visibility.simulator.past_and_live_streams import order_indexes_until
from visibility.web import screen_links
from visibility.web.permissions import UserRole

DAYS, PER_DAY = 6, 5.0
FAULTS = FaultRates(bad_payload=0.03, no_scan=0.1, stuck_order=0.1, unknown_status=0.03)
CONTESTED, UNMAPPED, UNMATCHED = "SO-CONTESTED", "ZX-1", "1Z999AA10123456784"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class WalkRecords:
    """The values that fill the URLs of the walk."""

    values: dict[str, Any]

    def url(self, pattern: str) -> str:
        """The URL with the values of this data set."""
        return pattern.format(**self.values)


def build_dataset() -> WalkRecords:
    """Fill the database. Uses the doors of the product, except for the time of receipt."""
    call_command("demo")
    now = database_now()
    _store_simulated_messages(now)
    _store_problems(now)
    job_functions.process_messages_and_refold()
    # The 3PL has sent nothing for long: with this interval it counts as silent at once.
    Source.objects.filter(slug="3pl").update(expect_every=timedelta(microseconds=1))
    for _ in range(2):
        job_functions.enqueue_due_refolds_and_update_due_alerts()
        job_functions.process_messages_and_refold()
    record_and_retention_jobs.measure_records()
    published_manifest()
    return WalkRecords(_add_actions_of_people() | _find_records())


def _store_simulated_messages(now: datetime) -> None:
    started = now.timestamp()
    world = SimulatedWorld(
        WorldSetting(
            seed=7,
            anchor=started - started % 86400,
            started=started,
            days=DAYS,
            per_day=PER_DAY,
            speed=1.0,
            rates=FAULTS,
        )
    )
    sent = sorted(
        (step.send_at, n, index)
        for n in order_indexes_until(world, started)
        for index, step in enumerate(world.order(n).steps)
        if step.send_at <= started
    )
    sources = {source.slug: source.pk for source in Source.objects.all()}
    arrivals = {}
    for _, n, index in sent:
        order = world.order(n)
        message = history.message_of_step(order, order.steps[index], index)
        key = f"{message.identity} {hash(message.body)}"
        arrivals[key] = IncomingMessage(sources[message.source], key, message.headers, message.body)
    store_messages(list(arrivals.values()))


def _store_problems(now: datetime) -> None:
    """A contradiction, an unmapped item, a package without an order, and invalid messages."""
    names = {"order_number": "sales_order@erp"}
    sources = {
        slug: create_source(slug, title=slug.title(), role=role, config=names | config)
        for slug, role, config in (
            ("desk", "erp", {}),
            ("yard", "wms", {}),
            ("partner", "shop", {"governed": "item"}),
        )
    }
    line = {"line_id": "1", "sku": "A-1", "price": "2.50"}
    story: list[tuple[str, str, int, dict[str, Any]]] = [
        ("desk", "order.received", 4, {"order": CONTESTED, "lines": [{**line, "ordered": 12}]}),
        *(
            (slug, "shipment.confirmed", 2, {"order": CONTESTED, "shipment": f"{slug} 1"} | lines)
            for slug, lines in (
                ("yard", {"lines": [{**line, "shipped": 8}]}),
                ("desk", {"lines": [{**line, "shipped": 3}]}),
            )
        ),
        (
            "partner",
            "order.received",
            1,
            {"order": "P-1", "lines": [{"line_id": "1", "sku": UNMAPPED, "ordered": 5}]},
        ),
        ("yard", "shipment.in_transit", 1, {"tracking": UNMATCHED}),
    ]
    for number, (slug, kind, days, data) in enumerate(story):
        event = cloudevent(kind, data, event_id=f"e{number}", at=now - days * DAY, source=slug)
        store_messages([cloudevent_message(sources[slug], event)])
    for body in (b'{"specversion": "1.0", "id": "torn-1", "data": {"ord', b"[]", b"{}"):
        store_messages([IncomingMessage(sources["desk"].pk, f"bad {body!r}", {}, body)])
    message(sources["yard"], state="waiting")


def _add_actions_of_people() -> dict[str, Any]:
    """Notes, links, views, decisions and a replay, from the forms of the product."""
    first, second = Order.objects.order_by("pk")[:2]
    orphan = Identifier.objects.get(raw=UNMATCHED).object_id
    note = f"/orders/{first.pk}/notes"
    _post(UserRole.CUSTOMER_SERVICE, note, note="@operations @clerk the customer called")
    _post(UserRole.OPERATIONS, note, note="@clerk @executive @integrator @admin it ships today")
    for role in UserRole:
        _post(role, f"/orders/{first.pk}/watch")
    shared = _post(
        UserRole.CUSTOMER_SERVICE, f"/orders/{first.pk}/tracking-links", days="30", scope="order"
    )
    _post(UserRole.OPERATIONS, "/joins/distinct", left=first.pk, right=second.pk, why="Two orders")
    alerts = Alert.objects.filter(state="open", order_id__gt=0).order_by("pk")
    _post(UserRole.OPERATIONS, f"/alerts/{alerts[0].pk}/acknowledge")
    _post(UserRole.OPERATIONS, f"/alerts/{alerts[1].pk}/snooze", until="4h")
    _post(UserRole.OPERATIONS, f"/alerts/{alerts[2].pk}/assign", to="me")
    view = {"list": "orders", "name": "Open", "query": "open=1"}
    screen = {"title": "Wall", "boards": "operations", "days": "30", "every": "30"}
    _post(UserRole.OPERATIONS, "/screen-links", **screen)
    for role in (UserRole.CUSTOMER_SERVICE, UserRole.ADMIN):
        _post(role, "/saved-views", **view)
        _post(role, "/tokens", title="Report", permissions="orders", days="30")
    _post(UserRole.INTEGRATOR, "/messages/replays", source="desk")
    torn = message(create_source("torn"), state="parked", reason="syntax")
    _post(UserRole.INTEGRATOR, "/messages/discards", id=torn, why="Sent by a test")
    job_functions.process_messages_and_refold()
    _post(
        UserRole.INTEGRATOR,
        "/mappings/mapping/new?kind=item",
        kind="item",
        source="partner",
        external="ZX-2",
        canonical="A-1",
        act="save",
    )
    file = SimpleUploadedFile("items.csv", b"sku,description\nZX-9,Lever\n")
    _post(UserRole.INTEGRATOR, "/mappings/item/file", file=file)
    job_functions.import_master_data_and_enqueue_refolds(Throttle())
    return {"order": first.pk, "other_order": second.pk, "orphan": orphan, "track": _token(shared)}


def _post(role: UserRole, path: str, **form: Any) -> str:
    client = Client()
    client.force_login(User.objects.get(groups__name=role.value))
    answer = client.post(path, form)
    assert answer.status_code in {200, 302}, (path, answer.status_code, answer.content[:2000])
    return answer.content.decode()


def _token(page: str) -> str:
    match = re.search(r"/track/([^\"<\s]+)", page)
    assert match, page
    return match[1]


def _find_records() -> dict[str, Any]:
    """The ids of a record of each kind."""
    busiest = (
        EventObjectLink.objects.filter(object_id__in=Order.objects.values("pk"))
        .values("object_id")
        .annotate(many=Count("event_id"))
        .order_by("-many", "object_id")[0]["object_id"]
    )
    alerted = Alert.objects.filter(state="open", order_id__gt=0).latest("pk")
    messages = InboundMessage.objects.order_by("pk")
    return {
        "busy": busiest,
        "contested": Order.objects.get(number=CONTESTED).pk,
        "event": EventObjectLink.objects.filter(object_id=busiest).latest("event_id").event_id,
        "alert": alerted.pk,
        "alerted": alerted.order_id,
        "source_alert": Alert.objects.filter(source__isnull=False).latest("pk").pk,
        "calendar": WorkCalendar.objects.latest("pk").code,
        "person": User.objects.latest("pk").pk,
        "team": Team.objects.latest("pk").slug,
        "message": messages.filter(state="applied")[0].pk,
        "parked": messages.filter(state="parked", source__slug="wms")[0].pk,
        "decision": IdentityDecision.objects.latest("pk").pk,
        "replay": MessageReplay.objects.latest("pk").pk,
        "check": stored_check().pk,
        "discard": MessageDiscard.objects.latest("pk").pk,
        "mapping": TermMapping.objects.latest("pk").pk,
        "import": MasterImport.objects.latest("pk").pk,
        "subscription": Subscription.objects.latest("pk").pk,
        "view": SavedView.objects.filter(owner__username="admin").latest("pk").pk,
        "screen": screen_links.screen_link_path(ScreenLink.objects.latest("pk"))[1:],
    }
