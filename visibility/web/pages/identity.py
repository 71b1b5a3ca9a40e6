"""The workbench of who is who: orphans, likely joins, what was joined; join, part, take back."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.change_feed import head
from visibility.db.clock import database_now
from visibility.identity import decisions, suggestions
from visibility.identity.merge import JoinTooLarge
from visibility.models import JoinAct, Order
from visibility.notify.broadcast import announce
from visibility.pipeline import stages
from visibility.screens.identity import workbench as joins
from visibility.screens.orders import search
from visibility.web.permissions import Right, may, needs

LONGEST = 2_000
DONE = {
    "join": "Joined: the two are one order now",
    "belongs": "It belongs to the order now",
    "split": "Parted: they are two orders now",
    "distinct": "Noted: they are not the same",
    "undo": "Taken back",
}
TOO_MANY = "More than 50 orders would become one: that is not done."


@require_GET
@needs(Right.JOINS_SEE)
def workbench(request: HttpRequest) -> HttpResponse:
    """`/joins`."""
    after = _number(request.GET.get("after", ""))
    orphans = joins.orphans(after=after, limit=joins.PAGE + 1)
    context = {
        "now": database_now(),
        "orphans": orphans[: joins.PAGE],
        "orphan_count": joins.orphan_count(),
        "most": joins.MOST_COUNTED,
        "next": orphans[joins.PAGE - 1].id if len(orphans) > joins.PAGE else 0,
        "first": not after,
        "likely": suggestions.suggestions(),
        "found": joins.found_to_be_one(),
        "acts": joins.acts(),
        "can_act": may(request.user, Right.JOINS),
    }
    return render(request, "identity/workbench.html", context)


@require_GET
@needs(Right.JOINS_SEE)
def pair(request: HttpRequest) -> HttpResponse:
    """`/joins/pair?left=&right=`: two things side by side, and what a join of them would do."""
    if number := request.GET.get("number", "").strip()[:200]:
        return _found(request, number, right=_id(request.GET.get("right", "")))
    left, right = (_id(request.GET.get(name, "")) for name in ("left", "right"))
    sides = joins.things([left, right])
    if len(sides) < 2 or left == right:
        raise Http404
    can_act = may(request.user, Right.JOINS)
    context = {
        "now": database_now(),
        "sides": sides,
        "same_kind": sides[0].kind == sides[1].kind,
        "evidence": [
            s for s in suggestions.suggestions() if {s.left.pk, s.right.pk} == {left, right}
        ],
        "can_act": can_act,
        "prices": may(request.user, Right.PRICES),
        "contacts": may(request.user, Right.CONTACTS),
        "effect": None,
        "refused": "",
    }
    if can_act:
        act = _joining(request, left, right)
        context |= _imagined(act, joins.orders_among([left, right]))
    return render(request, "identity/pair.html", context)


def _found(request: HttpRequest, number: str, *, right: int) -> HttpResponse:
    """The comparison with the one order that goes by a number."""
    hits = search.exact(number, limit=2)
    if len(hits) == 1:
        return HttpResponseRedirect(f"/joins/pair?left={hits[0].order_id}&right={right}")
    many = "More than one order goes" if hits else "No order goes"
    messages.error(request, f"{many} by {number}.")
    return HttpResponseRedirect("/joins")


@require_GET
@needs(Right.JOINS_SEE)
def part(request: HttpRequest, order_id: int) -> HttpResponse:
    """`/joins/split/<order>?number=`: choose the numbers that were never this order's."""
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        raise Http404
    chosen = set(request.GET.getlist("number")[: joins.MOST_COUNTED])
    context = {
        "order": order,
        "names": [(name, name.code in chosen) for name in joins.named(order_id)],
        "chosen": bool(chosen),
        "can_act": may(request.user, Right.JOINS),
        "effect": None,
        "refused": "",
    }
    if chosen and context["can_act"]:
        context |= _imagined(_parting(request, order_id, chosen), {order_id: order.number})
    return render(request, "identity/split.html", context)


@require_GET
@needs(Right.JOINS_SEE)
def one(request: HttpRequest, act_id: int) -> HttpResponse:
    """`/joins/<id>`: one act, its numbers, and what taking it back would do."""
    rows = JoinAct.objects.select_related("made_by", "undone_by").prefetch_related("numbers")
    act = rows.filter(pk=act_id).first()
    if act is None:
        raise Http404
    context = {
        "now": database_now(),
        "act": act,
        "sides": [joins.numbers_of(act, side) for side in (0, 1)],
        "orders": joins.orders_among(decisions.touched(act)),
        "can_act": may(request.user, Right.JOINS) and act.undone_at is None,
        "effect": None,
        "refused": "",
    }
    if context["can_act"]:
        context |= _imagined(_undoing(request, act_id), joins.orders_among(decisions.touched(act)))
    return render(request, "identity/act.html", context)


@require_POST
@needs(Right.JOINS)
def join(request: HttpRequest) -> HttpResponse:
    """`POST /joins/join`: the two are one, or the second belongs to the first."""
    left, right = (_id(request.POST.get(name, "")) for name in ("left", "right"))
    return _do(request, _joining(request, left, right), f"/joins/pair?left={left}&right={right}")


@require_POST
@needs(Right.JOINS)
def distinct(request: HttpRequest) -> HttpResponse:
    """`POST /joins/distinct`: the two are not the same."""
    left, right = (_id(request.POST.get(name, "")) for name in ("left", "right"))
    by, why, now = _person(request), _why(request), database_now()
    return _do(
        request, lambda: decisions.tell_apart(left, right, by=by, why=why, now=now), "/joins"
    )


@require_POST
@needs(Right.JOINS)
def split(request: HttpRequest, order_id: int) -> HttpResponse:
    """`POST /joins/split/<order>/do`: the chosen numbers become an order of their own."""
    chosen = set(request.POST.getlist("number")[: joins.MOST_COUNTED])
    return _do(request, _parting(request, order_id, chosen), f"/joins/split/{order_id}")


@require_POST
@needs(Right.JOINS)
def undo(request: HttpRequest, act_id: int) -> HttpResponse:
    """`POST /joins/<id>/undo`: as if it had never been decided."""
    return _do(request, _undoing(request, act_id), f"/joins/{act_id}", what="undo")


def _joining(request: HttpRequest, left: int, right: int) -> Callable[[], JoinAct]:
    by, why, now = _person(request), _why(request), database_now()
    return lambda: decisions.join(left, right, by=by, why=why, now=now)


def _parting(request: HttpRequest, order_id: int, chosen: set[str]) -> Callable[[], JoinAct]:
    by, why, now = _person(request), _why(request), database_now()
    numbers = [(a, b, c) for a, b, c in (_parts(code) for code in sorted(chosen))]
    return lambda: decisions.split(order_id, numbers, by=by, why=why, now=now)


def _undoing(request: HttpRequest, act_id: int) -> Callable[[], JoinAct]:
    by, now = _person(request), database_now()
    return lambda: decisions.undo(act_id, by=by, now=now)


def _parts(code: str) -> tuple[str, str, str]:
    scheme, _, rest = code.partition("|")
    issuer, _, value = rest.partition("|")
    return scheme, issuer, value


def _imagined(act: Callable[[], JoinAct], before: dict[int, str]) -> dict[str, object]:
    """What an act would do, or why it can't be done."""
    try:
        found = stages.imagine(act, lambda made: joins.effect(before, decisions.touched(made)))
    except decisions.Refused as refused:
        return {"refused": str(refused)}
    except JoinTooLarge:
        return {"refused": TOO_MANY}
    return {"effect": found}


def _do(
    request: HttpRequest, act: Callable[[], JoinAct], usual: str, *, what: str = ""
) -> HttpResponse:
    """Do it and say so, or say why not."""
    try:
        made = stages.decide(act)
    except decisions.Refused as refused:
        messages.error(request, str(refused))
        return HttpResponseRedirect(usual)
    except JoinTooLarge:
        messages.error(request, TOO_MANY)
        return HttpResponseRedirect(usual)
    announce(head(), ["order", "alert"])
    messages.success(request, f"{DONE[what or made.verdict]}.")
    return HttpResponseRedirect("/joins")


def _why(request: HttpRequest) -> str:
    return request.POST.get("why", "").strip()[:LONGEST]


def _id(text: str) -> int:
    """The number of an object. Raises Http404 for anything that can't be one."""
    number = _number(text)
    if not number:
        raise Http404
    return number


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


urlpatterns = [
    path("joins", workbench, name="joins"),
    path("joins/pair", pair, name="joins_pair"),
    path("joins/join", join, name="joins_join"),
    path("joins/distinct", distinct, name="joins_distinct"),
    path("joins/split/<int:order_id>", part, name="joins_part"),
    path("joins/split/<int:order_id>/do", split, name="joins_split"),
    path("joins/<int:act_id>", one, name="joins_one"),
    path("joins/<int:act_id>/undo", undo, name="joins_undo"),
]
