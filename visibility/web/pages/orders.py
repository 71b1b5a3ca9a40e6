"""Orders: found by any number, listed, and the page of one."""

import base64
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import urlencode

from connectors.sdk.events import Attribute
from visibility.db.clock import database_now
from visibility.export.redaction import Sight
from visibility.models import BusinessObject, Order
from visibility.screens.orders import (
    claims,
    event_labels,
    lines,
    order_list,
    search,
    suppressed_conflicts,
    swimlanes,
)
from visibility.screens.orders import timeline as timeline_page
from visibility.timeline import Timeline
from visibility.timeline.answer import STATES, TITLES, answer
from visibility.timeline.model import Status
from visibility.web.pages import exports, lineage
from visibility.web.permissions import Right, may, needs

PASTED = 200
KEPT = ("state", "without", "late", "undelivered", "open", "group")
TABS = (
    ("timeline", "Timeline"),
    ("lines", "Lines"),
    ("shipments", "Shipments"),
    ("money", "Money"),
    ("truths", "Truths"),
    ("lineage", "Lineage"),
)
# What an event says that not everybody may read; free text may name a person.
GUARDED = {
    Attribute.TOTAL: Right.PRICES,
    Attribute.CUSTOMER_NAME: Right.CONTACTS,
    Attribute.DETAIL: Right.CONTACTS,
}


@needs(Right.ORDERS)
def listing(request: HttpRequest) -> HttpResponse:
    """`/orders`."""
    asked = request.GET
    contacts = may(request.user, Right.CONTACTS)
    filters = order_list.Filters.of(
        asked.dict(),
        asked.getlist("status"),
        states=asked.getlist("state"),
        without=asked.getlist("without"),
        by_name=contacts,
    )
    now = database_now()
    rows, place = order_list.rows(filters, now=now, after=_place(request.GET.get("after", "")))
    chips = [(label, _without(request, pair)) for pair, label in filters.chips]
    context = {
        "rows": rows,
        "chips": chips,
        "now": now,
        "next": _with(request, after=_mark(place)) if place else "",
        "first": "after" not in request.GET,
        "quick": order_list.QUICK,
        "conflicting": order_list.conflicting(now),
        "statuses": [(s.value, TITLES[s], s.value in filters.statuses) for s in Status],
        "prices": may(request.user, Right.PRICES),
        "contacts": contacts,
        "filters": filters,
        # What the form has no field for stays.
        "kept": [(name, text) for name in KEPT for text in asked.getlist(name)],
        "exports": exports.links(request),
    }
    return render(request, "orders/list.html", context)


@needs(Right.ORDERS)
def find(request: HttpRequest) -> HttpResponseBase:
    """`/search?q=`: one hit opens, several are listed, a pasted column gives a row a number."""
    text = request.GET.get("q", "").strip()
    numbers = [part.strip() for part in text.replace("\r", "\n").split("\n") if part.strip()]
    if len(numbers) > 1:
        pasted = search.several(numbers[:PASTED])
        missing = sum(not hits for _, hits in pasted)
        context = {"pasted": pasted, "missing": missing, "cut": len(numbers) > PASTED}
        return render(request, "orders/pasted.html", context)
    hits = search.exact(text) if text else []
    if len(hits) == 1:
        return redirect("order", order_id=hits[0].order_id)
    contacts = may(request.user, Right.CONTACTS)
    context = {
        "text": text,
        "contacts": contacts,
        "hits": hits,
        "near": [] if hits else search.partly(text) or search.close(text),
        "customers": search.customers(text) if contacts and not hits else [],
        "titles": TITLES,
    }
    return render(request, "orders/found.html", context)


@needs(Right.ORDERS)
def suggest(request: HttpRequest) -> JsonResponse:
    """`/search/suggest?q=`: groups for the search box."""
    text = request.GET.get("q", "").strip()[:200]
    contacts = may(request.user, Right.CONTACTS)
    if len(text) < 2:
        return JsonResponse({"groups": []})
    hits = search.exact(text, limit=5)
    seen = {hit.order_id for hit in hits}
    near = [hit for hit in search.partly(text, limit=6) if hit.order_id not in seen]
    close = [] if hits or near else search.close(text)
    groups = [
        {"title": title, "items": [_suggestion(hit, contacts=contacts) for hit in found]}
        for title, found in (
            ("Exactly this number", hits),
            ("Numbers with this in them", near),
            ("Numbers much like it", close),
        )
        if found
    ]
    people = [
        {
            "url": f"/orders?{urlencode({'customer': name})}",
            "label": name,
            "why": f"{search.counted(n)} orders",
        }
        for name, _, n in (search.customers(text) if contacts else ())
    ]
    if people:
        groups.append({"title": "Customers", "items": people})
    return JsonResponse({"groups": groups})


def _suggestion(hit: search.Hit, *, contacts: bool) -> dict[str, str]:
    who = (hit.customer_name if contacts else "") or hit.customer_no
    label = f"{hit.number} · {who}" if who else hit.number
    return {"url": f"/orders/{hit.order_id}", "label": label, "why": hit.why}


@needs(Right.ORDERS)
def one(request: HttpRequest, order_id: int) -> HttpResponseBase:
    """`/orders/<id>`: the answer first, then the evidence."""
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        winner = BusinessObject.objects.filter(pk=order_id, kind="order").first()
        if winner and winner.merged_into_id:
            query = f"?{request.GET.urlencode()}" if request.GET else ""
            return redirect(f"/orders/{winner.merged_into_id}{query}")
        raise Http404
    now = database_now()
    known_at = _moment(request.GET.get("as_known_at", "") or request.GET.get("at", ""))
    timeline = timeline_page.timeline_of(order.pk, as_of=known_at or now, known_at=known_at)
    timeline, held = (timeline, ()) if known_at else suppressed_conflicts.hold(timeline, now=now)
    names = timeline_page.sources()
    tab = request.GET.get("tab", "timeline")
    tab = tab if tab in dict(TABS) else "timeline"
    prices = may(request.user, Right.PRICES)
    contacts = may(request.user, Right.CONTACTS)
    conflicts = claims.differences(timeline, names, prices=prices)
    context: dict[str, Any] = {
        "order": order,
        "timeline": timeline,
        "said": answer(timeline, zone=settings.TIME_ZONE),
        "title": TITLES[timeline.status],
        "tone": order_list.TONES[timeline.status],
        "states": [STATES[s] for s in timeline.states if s.value != timeline.status.value],
        "now": now,
        "known_at": known_at,
        "back": _back(known_at),
        "rail": timeline_page.rail(timeline),
        "alerts": timeline_page.alerts_of(order.pk),
        "unwatched": timeline_page.unwatched_of(order.pk),
        "conflicts": conflicts,
        "held": claims.waiting(held, names, prices=prices),
        "promises": claims.ledger(timeline, names),
        "identifiers": [
            (search.SCHEMES.get(i.scheme, i.scheme), i.issuer.rstrip("?"), i.raw)
            for i in timeline_page.identifiers_of(order.pk)
        ],
        "prices": prices,
        "contacts": contacts,
        "may_raw": may(request.user, Right.RAW),
        "tab": tab,
        "tabs": _tabs(timeline, known_at, conflicts=len(conflicts)),
        "event": _event(request, timeline, names),
        **_part(tab, timeline, names, sight=Sight(prices, contacts), now=known_at or now),
        "exports": exports.links(request, order=order.pk),
        "lineage": lineage.of_order(request, order.pk, names) if tab == "lineage" else None,
    }
    return render(request, "orders/order.html", context)


def _part(
    tab: str, timeline: Timeline, names: timeline_page.Names, *, sight: Sight, now: datetime
) -> dict[str, Any]:
    """What one tab shows."""
    zone = settings.TIME_ZONE
    if tab == "lines":
        return {"table": lines.table(timeline, names)}
    if tab == "money":
        return {
            "matches": lines.matches(timeline),
            "bills": lines.bills(timeline, names),
            "currency": lines.currency(timeline),
        }
    if tab == "truths":
        return {"matrix": claims.matrix(timeline, names, prices=sight.prices)}
    if tab == "shipments":
        return {"titles": {slug: title for slug, (title, _) in names.items()}}
    if tab == "lineage":
        return {}
    return {
        "days": timeline_page.days(timeline, names, zone=zone, contacts=sight.contacts),
        "lanes": swimlanes.lanes(timeline, titles=names, now=now, zone=zone),
    }


def _tabs(
    timeline: Timeline, known_at: datetime | None, *, conflicts: int
) -> list[tuple[str, str, str, int]]:
    """(code, address, title, count); a look back stays one from tab to tab."""
    counts = (
        len(timeline.entries),
        len(timeline.lines),
        len(timeline.shipments),
        sum(e.spoken.event.type in lines.BILLS for e in timeline.entries),
        conflicts,
        len({entry.spoken.message_id for entry in timeline.entries}),
    )
    return [
        (code, f"?tab={code}{_back(known_at)}", title, count)
        for (code, title), count in zip(TABS, counts, strict=True)
    ]


def _back(known_at: datetime | None) -> str:
    """What every link of the page carries on while one looks back."""
    return f"&{urlencode({'as_known_at': known_at.isoformat()})}" if known_at else ""


def _event(
    request: HttpRequest, timeline: Timeline, names: timeline_page.Names
) -> dict[str, Any] | None:
    text = request.GET.get("event", "")
    entry = timeline_page.entry_of(timeline, int(text)) if text.isdecimal() else None
    if entry is None:
        return None
    event = entry.spoken.event
    return {
        "item": timeline_page.item(entry, names, contacts=may(request.user, Right.CONTACTS)),
        "spoken": entry.spoken,
        "flags": [event_labels.FLAGS[flag] for flag in entry.spoken.flags],
        "attributes": [
            (name.value.replace("_", " "), value)
            for name, value in event.attributes.items()
            if name not in GUARDED or may(request.user, GUARDED[name])
        ],
        "objects": [
            (ref.kind.value, ", ".join(i.value for i in ref.identifiers)) for ref in event.objects
        ],
    }


def _moment(text: str) -> datetime | None:
    """`?as_known_at=` (or `at=`): an instant, or nothing if it is none."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


def _mark(place: tuple[datetime, int] | None) -> str:
    if place is None:
        return ""
    text = orjson.dumps([place[0].isoformat(), place[1]])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _place(mark: str) -> tuple[datetime, int] | None:
    """Where a page begins; a mark that is none begins at the top."""
    try:
        at, pk = orjson.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
        return datetime.fromisoformat(at), int(pk)
    except (ValueError, TypeError):
        return None


def _with(request: HttpRequest, **more: str) -> str:
    query = request.GET.copy()
    for name, value in more.items():
        query[name] = value
    return f"?{query.urlencode()}"


def _without(request: HttpRequest, pair: str) -> str:
    """The address without one filter."""
    name, value = pair.split("=", 1)
    query = request.GET.copy()
    query.setlist(name, [v for v in query.getlist(name) if v != value])
    query.pop("after", None)
    return f"?{query.urlencode()}"


urlpatterns = [
    path("orders", listing, name="orders"),
    path("orders/<int:order_id>", one, name="order"),
    path("search", find, name="search"),
    path("search/suggest", suggest, name="suggest"),
]
