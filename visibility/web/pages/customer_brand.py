"""`/organization/tracking-page`: the brand on the page for customers, for administrators."""

import re
from collections.abc import Mapping

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from visibility.db.database_time import database_now
from visibility.db.parse_id_and_time import parse_row_version
from visibility.models.customer_brand import MAX_DISPLAY_NAME, CustomerBrand
from visibility.preferences.customer_brand import (
    BLACK,
    WHITE,
    BrandChange,
    BrandConflict,
    InvalidBrand,
    change_brand,
    current_brand,
    text_color,
)
from visibility.preferences.logo_file import MAX_LOGO_BYTES
from visibility.screens.save_conflicts import conflict_with_latest_entry, latest_change
from visibility.storage.organization import organization_name
from visibility.web.permissions import Permission, require_permission, signed_in_user

URL = "/organization/tracking-page"
LOGO_NOTE = "Choose the new logo once more before you keep your values."
TEXT_COLORS = {BLACK: "black", WHITE: "white"}
LABELS = {"display_name": "Name", "accent_color": "Accent color"}
LOGO_NAME = re.compile(r"[0-9a-f]{16}\.(png|jpeg|webp)")
LOGO_HEADERS = {
    # The address of another logo is another one.
    "Cache-Control": "public, max-age=86400, immutable",
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(Permission.ADMINISTER)
def customer_brand(request: HttpRequest) -> HttpResponse:
    """The form; POST saves it, or shows it again with the errors."""
    if request.method != "POST":
        return _render_page(request)
    values = {name: request.POST.get(name, "").replace("\0", "")[:400] for name in LABELS}
    upload = request.FILES.get("logo")
    logo = upload.read(MAX_LOGO_BYTES + 1) if upload else None
    if logo is None and request.POST.get("remove_logo") == "on":
        logo = b""
    try:
        change_brand(
            BrandChange(values["display_name"], values["accent_color"], logo),
            version=parse_row_version(request.POST.get("version", "")),
            by=signed_in_user(request),
            now=database_now(),
        )
    except InvalidBrand as error:
        return _render_page(request, values, errors=error.errors)
    except BrandConflict:
        return _render_page(request, values, is_conflict=True)
    messages.success(request, "Tracking page saved.")
    return HttpResponseRedirect(URL)


@require_safe
def logo(_request: HttpRequest, name: str) -> HttpResponse:
    """`/brand/<digest>.<format>`: the logo. Without session and cookie, like the tracking page."""
    if not LOGO_NAME.fullmatch(name):
        raise Http404
    brand = current_brand()
    if brand.logo_name != name:
        raise Http404
    kind = f"image/{brand.logo_format}"
    return HttpResponse(bytes(brand.logo), content_type=kind, headers=LOGO_HEADERS)


def _render_page(
    request: HttpRequest,
    entered: Mapping[str, str] | None = None,
    *,
    errors: Mapping[str, str] | None = None,
    is_conflict: bool = False,
) -> HttpResponse:
    brand = current_brand()
    values = entered or _values(brand)
    conflict = None
    if is_conflict:
        conflict = conflict_with_latest_entry(
            _by_label(_values(brand)),
            _by_label(values),
            latest_change("organization", "organization.brand_changed"),
            now=database_now(),
            form_id="brand-form",
            reload_url=URL,
            note=LOGO_NOTE if request.FILES else "",
        )
    context = {
        "brand": brand,
        "values": values,
        # With an error, what somebody else saved meanwhile is not compared yet.
        "version": request.POST.get("version", "") if errors else brand.version,
        "errors": errors or {},
        "conflict": conflict,
        "organization_name": organization_name(),
        "max_name": MAX_DISPLAY_NAME,
        "max_kilobytes": MAX_LOGO_BYTES // 1000,
        "text_color": TEXT_COLORS[text_color(brand.accent_color or WHITE)],
    }
    status = 409 if is_conflict else 422 if errors else 200
    return render(request, "organization/tracking_page.html", context, status=status)


def _values(brand: CustomerBrand) -> dict[str, str]:
    return {name: getattr(brand, name) for name in LABELS}


def _by_label(values: Mapping[str, str]) -> dict[str, str]:
    return {label: values[name] for name, label in LABELS.items()}


urlpatterns = [
    path("organization/tracking-page", customer_brand),
    path("brand/<str:name>", logo),
]
