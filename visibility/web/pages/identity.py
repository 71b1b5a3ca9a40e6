"""Views of the section *Matching*: suggestions, comparisons, merge, split and undo."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from visibility.db.change_feed import latest_change_number
from visibility.db.database_time import database_now
from visibility.identity import decisions, duplicate_order_suggestions
from visibility.identity.record_merges_and_move_alerts import MergeTooLarge
from visibility.models import IdentityDecision, Order
from visibility.notify.publish_change_number import broadcast_change_number
from visibility.pipeline import refold_orders
from visibility.screens.identity import comparisons_and_previews as comparisons
from visibility.screens.identity import decisions_and_automatic_merges as history
from visibility.screens.orders import number_and_customer_search
from visibility.web.permissions import (
    Permission,
    has_permission,
    require_permission,
    signed_in_user,
)
from visibility.web.read_decision_form_values import (
    parse_object_id_or_404,
    read_reason,
)

SUCCESS_MESSAGES = {
    "join": "Merged: the two are now one order",
    "belongs": "Attached to the order",
    "split": "Split: they are now two orders",
    "distinct": "Marked as different orders",
    "undo": "Decision undone",
}
TOO_MANY = "This would merge more than 50 orders, which is not allowed."


@require_GET
@require_permission(Permission.MATCHING_SEE)
def orders_and_decisions_view(request: HttpRequest) -> HttpResponse:
    """GET /joins/orders: suspected duplicates, automatic merges and manual decisions."""
    context = {
        "now": database_now(),
        "suggestions": duplicate_order_suggestions.find_suggestions(),
        "automatic_merges": history.automatic_merges(),
        "decisions": history.manual_decisions()[: history.MAX_DECISIONS],
        "can_decide": has_permission(request.user, Permission.MATCHING_EDIT),
    }
    return render(request, "identity/orders.html", context)


@require_GET
@require_permission(Permission.MATCHING_SEE)
def compare_view(request: HttpRequest) -> HttpResponse:
    """GET /joins/pair?left=&right=: compare two records and preview a merge."""
    if number := request.GET.get("number", "").strip()[:200]:
        return _redirect_to_comparison_by_order_number(
            request, number, right=parse_object_id_or_404(request.GET.get("right", ""))
        )
    left, right = (parse_object_id_or_404(request.GET.get(name, "")) for name in ("left", "right"))
    sides = comparisons.compared_objects([left, right])
    if len(sides) < 2 or left == right:
        raise Http404
    can_decide = has_permission(request.user, Permission.MATCHING_EDIT)
    context = {
        "now": database_now(),
        "sides": sides,
        "same_kind": sides[0].kind == sides[1].kind,
        "evidence": [
            s
            for s in duplicate_order_suggestions.find_suggestions()
            if {s.left.pk, s.right.pk} == {left, right}
        ],
        "can_decide": can_decide,
        "prices": has_permission(request.user, Permission.PRICES),
        "contacts": has_permission(request.user, Permission.CONTACTS),
        "effect": None,
        "rejection": "",
    }
    if can_decide:
        decision = _build_merge_or_attach_callback(request, left, right)
        context |= _decision_preview_context(
            decision, comparisons.surviving_order_numbers([left, right])
        )
    return render(request, "identity/pair.html", context)


def _redirect_to_comparison_by_order_number(
    request: HttpRequest, number: str, *, right: int
) -> HttpResponse:
    """Redirect to the comparison with the order that has this number."""
    hits = number_and_customer_search.find_orders_by_exact_number(number, limit=2)
    if len(hits) == 1:
        return HttpResponseRedirect(f"/joins/pair?left={hits[0].order_id}&right={right}")
    count_text = "More than one order" if hits else "No order"
    messages.error(request, f"{count_text} found for {number}.")
    return HttpResponseRedirect(f"/joins/records/{right}")


@require_GET
@require_permission(Permission.MATCHING_SEE)
def split_preview_view(request: HttpRequest, order_id: int) -> HttpResponse:
    """GET /joins/split/<order>?number=: choose identifiers to split off and preview the result."""
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        raise Http404
    chosen = set(request.GET.getlist("number")[: comparisons.MAX_COUNTED])
    context = {
        "order": order,
        "names": [
            (name, name.form_value in chosen)
            for name in comparisons.list_order_identifiers_with_usage(order_id)
        ],
        "chosen": bool(chosen),
        "can_decide": has_permission(request.user, Permission.MATCHING_EDIT),
        "effect": None,
        "rejection": "",
    }
    if chosen and context["can_decide"]:
        context |= _decision_preview_context(
            _build_split_callback(request, order_id, chosen), {order_id: order.number}
        )
    return render(request, "identity/split.html", context)


@require_GET
@require_permission(Permission.MATCHING_SEE)
def decision_view(request: HttpRequest, decision_id: int) -> HttpResponse:
    """GET /joins/<id>: one decision with its identifiers, and a preview of undoing it."""
    queryset = IdentityDecision.objects.select_related("decided_by", "undone_by").prefetch_related(
        "identifiers"
    )
    decision = queryset.filter(pk=decision_id).first()
    if decision is None:
        raise Http404
    context = {
        "now": database_now(),
        "decision": decision,
        "sides": [history.identifiers_on_decision_side(decision, side) for side in (0, 1)],
        "orders": comparisons.surviving_order_numbers(
            decisions.object_ids_named_by_decision(decision)
        ),
        "can_decide": has_permission(request.user, Permission.MATCHING_EDIT)
        and decision.undone_at is None,
        "effect": None,
        "rejection": "",
    }
    if context["can_decide"]:
        context |= _decision_preview_context(
            _build_undo_callback(request, decision_id),
            comparisons.surviving_order_numbers(decisions.object_ids_named_by_decision(decision)),
        )
    return render(request, "identity/decision.html", context)


@require_POST
@require_permission(Permission.MATCHING_EDIT)
def apply_merge_or_attach_view(request: HttpRequest) -> HttpResponse:
    """POST /joins/join: merge two orders, or attach a record to an order."""
    left, right = (parse_object_id_or_404(request.POST.get(name, "")) for name in ("left", "right"))
    return _apply_decision_and_redirect(
        request,
        _build_merge_or_attach_callback(request, left, right),
        f"/joins/pair?left={left}&right={right}",
    )


@require_POST
@require_permission(Permission.MATCHING_EDIT)
def apply_distinct_view(request: HttpRequest) -> HttpResponse:
    """POST /joins/distinct: mark two orders as different."""
    left, right = (parse_object_id_or_404(request.POST.get(name, "")) for name in ("left", "right"))
    by, reason, now = signed_in_user(request), read_reason(request), database_now()
    return _apply_decision_and_redirect(
        request,
        lambda: decisions.decide_objects_are_distinct(left, right, by=by, reason=reason, now=now),
        "/joins/orders",
    )


@require_POST
@require_permission(Permission.MATCHING_EDIT)
def apply_split_view(request: HttpRequest, order_id: int) -> HttpResponse:
    """POST /joins/split/<order>/do: move the chosen identifiers to a new order."""
    chosen = set(request.POST.getlist("number")[: comparisons.MAX_COUNTED])
    return _apply_decision_and_redirect(
        request, _build_split_callback(request, order_id, chosen), f"/joins/split/{order_id}"
    )


@require_POST
@require_permission(Permission.MATCHING_EDIT)
def apply_undo_view(request: HttpRequest, decision_id: int) -> HttpResponse:
    """POST /joins/<id>/undo: undo a decision."""
    return _apply_decision_and_redirect(
        request,
        _build_undo_callback(request, decision_id),
        f"/joins/{decision_id}",
        label_key="undo",
    )


def _build_merge_or_attach_callback(
    request: HttpRequest, left: int, right: int
) -> Callable[[], IdentityDecision]:
    by, reason, now = signed_in_user(request), read_reason(request), database_now()
    return lambda: decisions.merge_or_attach_objects(left, right, by=by, reason=reason, now=now)


def _build_split_callback(
    request: HttpRequest, order_id: int, chosen: set[str]
) -> Callable[[], IdentityDecision]:
    by, reason, now = signed_in_user(request), read_reason(request), database_now()
    numbers = [(a, b, c) for a, b, c in (_parse_identifier(code) for code in sorted(chosen))]
    return lambda: decisions.split_order(order_id, numbers, by=by, reason=reason, now=now)


def _build_undo_callback(request: HttpRequest, decision_id: int) -> Callable[[], IdentityDecision]:
    by, now = signed_in_user(request), database_now()
    return lambda: decisions.undo_decision(decision_id, by=by, now=now)


def _parse_identifier(code: str) -> tuple[str, str, str]:
    scheme, _, remainder = code.partition("|")
    issuer, _, value = remainder.partition("|")
    return scheme, issuer, value


def _decision_preview_context(
    decide: Callable[[], IdentityDecision], before: dict[int, str]
) -> dict[str, object]:
    """Preview a decision: its effect, or why it is rejected."""
    try:
        effect = refold_orders.summarize_identity_decision_and_roll_back(
            decide,
            lambda decision: comparisons.measure_decision_effect(
                before, decisions.object_ids_named_by_decision(decision)
            ),
        )
    except decisions.DecisionRejected as error:
        return {"rejection": str(error)}
    except MergeTooLarge:
        return {"rejection": TOO_MANY}
    return {"effect": effect}


def _apply_decision_and_redirect(
    request: HttpRequest,
    decide: Callable[[], IdentityDecision],
    error_url: str,
    *,
    label_key: str = "",
) -> HttpResponse:
    """Apply a decision and redirect with a message about the result."""
    try:
        decision = refold_orders.apply_identity_decision_and_refold(decide)
    except decisions.DecisionRejected as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(error_url)
    except MergeTooLarge:
        messages.error(request, TOO_MANY)
        return HttpResponseRedirect(error_url)
    broadcast_change_number(latest_change_number(), ["order", "alert"])
    messages.success(request, f"{SUCCESS_MESSAGES[label_key or decision.verdict]}.")
    is_attached = decision.verdict == IdentityDecision.Verdict.BELONGS
    return HttpResponseRedirect("/joins" if is_attached else "/joins/orders")


urlpatterns = [
    path("joins/orders", orders_and_decisions_view, name="joins-orders"),
    path("joins/pair", compare_view, name="joins_pair"),
    path("joins/join", apply_merge_or_attach_view, name="joins_join"),
    path("joins/distinct", apply_distinct_view, name="joins_distinct"),
    path("joins/split/<int:order_id>", split_preview_view, name="joins_part"),
    path("joins/split/<int:order_id>/do", apply_split_view, name="joins_split"),
    path("joins/<int:decision_id>", decision_view, name="joins_one"),
    path("joins/<int:decision_id>/undo", apply_undo_view, name="joins_undo"),
]
