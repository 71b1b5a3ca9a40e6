"""Views of the search: results, bulk lookup and suggestions while typing."""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import urlencode
from django.utils.text import capfirst

from visibility.db.database_time import database_now
from visibility.screens.orders import (
    item_search,
    number_and_customer_search,
    pasted_numbers,
)
from visibility.web.list_page_context import viewer_of_request
from visibility.web.permissions import Permission, has_permission, require_permission
from visibility.web.records_by_id import find_records_by_id


@require_permission(Permission.ORDERS)
def open_match_or_list_results_view(request: HttpRequest) -> HttpResponseBase:
    """GET /search?q=: open a single match, list several, or look up a pasted list of numbers.

    A number is an order's first; the text "alert 97" opens that alert.
    """
    text = request.GET.get("q", "").strip()
    contacts = has_permission(request.user, Permission.CONTACTS)
    pasted = pasted_numbers.look_up_several_numbers(text)
    if pasted:
        context = {
            "contacts": contacts,
            "pasted": pasted,
            "missing": sum(not hits for _, hits in pasted),
            "cut": pasted_numbers.has_more_numbers_than_looked_up(text),
            "most": pasted_numbers.MAX_NUMBERS,
        }
        return render(request, "orders/bulk_search.html", context)
    hits = number_and_customer_search.find_orders_by_exact_number(text) if text else []
    if len(hits) == 1:
        return redirect("order", order_id=hits[0].order_id)
    records = find_records_by_id(text, viewer_of_request(request), database_now()) if text else []
    if not hits and len(records) == 1 and records[0].is_named:
        return redirect(records[0].url)
    context = {
        "text": text,
        "records": records,
        "contacts": contacts,
        "hits": hits,
        "suggestions": []
        if hits
        else number_and_customer_search.find_orders_by_number_fragment(text)
        or number_and_customer_search.find_orders_by_similar_number(text),
        "customers": number_and_customer_search.find_customers_by_name(text)
        if contacts and not hits
        else [],
        "found_items": item_search.ItemSearchResult() if hits else item_search.search_items(text),
        "recent_orders": item_search.RECENT_ORDERS,
    }
    return render(request, "orders/search_results.html", context)


@require_permission(Permission.ORDERS)
def suggestions_view(request: HttpRequest) -> JsonResponse:
    """GET /search/suggest?q=: grouped suggestions as JSON for the search box."""
    text = request.GET.get("q", "").strip()[:200]
    contacts = has_permission(request.user, Permission.CONTACTS)
    if len(text) < 2:
        return JsonResponse({"groups": []})
    hits = number_and_customer_search.find_orders_by_exact_number(text, limit=5)
    seen = {hit.order_id for hit in hits}
    partial = [
        hit
        for hit in number_and_customer_search.find_orders_by_number_fragment(text, limit=6)
        if hit.order_id not in seen
    ]
    similar = (
        [] if hits or partial else number_and_customer_search.find_orders_by_similar_number(text)
    )
    groups = [
        {
            "title": title,
            "items": [_build_order_suggestion(hit, contacts=contacts) for hit in group_hits],
        }
        for title, group_hits in (
            ("Exact match", hits),
            ("Contains", partial),
            ("Similar", similar),
        )
        if group_hits
    ]
    customers = [
        {
            "url": f"/orders?{urlencode({'customer': name})}",
            "label": name,
            "why": "1 order"
            if n == 1
            else f"{number_and_customer_search.format_order_count(n)} orders",
        }
        for name, _, n in (
            number_and_customer_search.find_customers_by_name(text) if contacts else ()
        )
    ]
    if customers:
        groups.append({"title": "Customers", "items": customers})
    items = [
        {
            "url": f"/orders?{urlencode({'item': item.sku})}",
            "label": item.sku,
            "why": item.description,
        }
        for item in item_search.suggest_items(text)
    ]
    if items:
        groups.append({"title": "Items", "items": items})
    records = find_records_by_id(text, viewer_of_request(request), database_now())
    if records:
        entries = [{"url": each.url, "label": each.label, "why": each.why} for each in records]
        groups.append({"title": "Alerts, messages, sources and rules", "items": entries})
    return JsonResponse({"groups": groups})


def _build_order_suggestion(
    hit: number_and_customer_search.SearchHit, *, contacts: bool
) -> dict[str, str]:
    who = (hit.customer_name if contacts else "") or hit.customer_no
    label = f"{hit.number} · {who}" if who else hit.number
    return {"url": f"/orders/{hit.order_id}", "label": label, "why": capfirst(hit.matched_by)}


urlpatterns = [
    path("search", open_match_or_list_results_view, name="search"),
    path("search/suggest", suggestions_view, name="suggest"),
]
