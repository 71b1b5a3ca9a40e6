"""The page for customers at `/track/<token>`: no sign-in, no cookie, no session, no script."""

import base64
import hashlib
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.views.decorators.http import require_safe

from visibility.db.database_time import database_now
from visibility.notify.mail import has_mail_server
from visibility.preferences.customer_brand import COLOR, current_brand, text_color
from visibility.preferences.demo_tour import CUSTOMER, add_tour_code
from visibility.screens.tracking import dates_and_quantities as formats
from visibility.screens.tracking.customer_page import TrackedOrder
from visibility.screens.tracking.email_updates import form_token
from visibility.screens.tracking.headlines_of_link import load_tracked_orders
from visibility.screens.tracking.orders_of_link import (
    OrdersOfLink,
    find_valid_link,
    orders_of_link,
    tracking_path,
)
from visibility.storage.organization import organization_name, organization_time_zone
from visibility.web.request_limit import RequestLimit

# Requests per minute. Only those that open nothing count for an address: customers can share one,
# and nobody can keep the links of others from opening.
failed_requests_per_address = RequestLimit(30)
requests_per_link = RequestLimit(60)
POLICY = (
    "default-src 'none'",
    "img-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
)
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


@require_safe
def tracking_page(request: HttpRequest, token: str) -> HttpResponse:
    """Where the orders of a link are. Unknown, expired and revoked links look alike: 404."""
    now, zone = database_now(), organization_time_zone()
    link = find_valid_link(token, now)
    if link and not requests_per_link.take(link.name):
        return too_many()
    of_link = orders_of_link(link, now) if link else None
    if link is None or of_link is None or not of_link.shown:
        return not_valid(request)
    if settings.DEMO:
        # Not for who opens it: the page reads no session.
        add_tour_code(link.created_by_id, CUSTOMER)
    orders = load_tracked_orders(of_link, now)
    offers_email = has_mail_server()
    context = {
        "orders": orders,
        "title": _title(orders, of_link),
        "hidden": of_link.hidden,
        "updated": f"{formats.date_and_time(now, zone)} {formats.zone_name(now, zone)}",
    }
    if offers_email:
        context |= {"form": form_token(link, now), "back": tracking_path(link)}
    return render_page("page.html", context, has_form=offers_email)


def not_valid(request: HttpRequest, template: str = "not_valid.html") -> HttpResponse:
    """The answer to every address that opens nothing."""
    is_allowed = failed_requests_per_address.take_address(request.META.get("REMOTE_ADDR", ""))
    return render_page(template, {}, status=404) if is_allowed else too_many()


def _title(orders: list[TrackedOrder], of_link: OrdersOfLink) -> str:
    """The heading of a page with several orders; one order has its own."""
    if of_link.total == 1:
        return ""
    # If all orders are shown, the heading agrees with what the page says of each.
    shown = sum(order.is_delivered for order in orders)
    delivered = of_link.delivered if of_link.hidden else shown
    return f"{delivered} of {of_link.total} orders delivered"


def too_many() -> HttpResponse:
    response = render_page("too_many.html", {}, status=429)
    response.headers["Retry-After"] = "60"
    return response


def render_page(
    template: str, context: dict[str, Any], *, status: int = 200, has_form: bool = False
) -> HttpResponse:
    """Render without the request, so that nothing reads a session or sets a cookie."""
    brand = _brand()
    content = render_to_string(f"tracking/{template}", {**context, "brand": brand})
    digest = base64.b64encode(hashlib.sha256(brand["style"].encode()).digest()).decode()
    style = f"style-src 'self' 'sha256-{digest}'" if brand["style"] else "style-src 'self'"
    forms = "form-action 'self'" if has_form else "form-action 'none'"
    headers = {**HEADERS, "Content-Security-Policy": "; ".join((*POLICY, forms, style))}
    return HttpResponse(content, status=status, headers=headers)


def _brand() -> dict[str, str]:
    """The name, the logo and the style of the top bar. The style has a checked color only."""
    stored = current_brand()
    color, style = stored.accent_color, ""
    if COLOR.fullmatch(color):
        style = f"@media screen{{.track-band{{background:{color};color:{text_color(color)}}}}}"
    return {
        "name": stored.display_name or organization_name(),
        "logo": stored.logo_name,
        "style": style,
    }


urlpatterns = [path("track/<str:token>", tracking_page, name="tracking")]
