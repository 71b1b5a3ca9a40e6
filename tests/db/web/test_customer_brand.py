"""The brand on the tracking page: entered in the browser and over the API, and audited."""

import base64
import hashlib
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.builders.images import JPEG, WEBP, png
from tests.builders.users import signed_in
from tests.db.web.test_tracking import create_link, ordered, store_orders
from visibility.models import AuditEntry, CustomerBrand, Order
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
URL, API = "/organization/tracking-page", "/api/v1/organization/brand"


@pytest.fixture
def admin() -> Client:
    return signed_in(UserRole.ADMIN)


def save(admin: Client, **values: Any) -> Any:
    form = {"display_name": "", "accent_color": "", "version": "", **values}
    return admin.post(URL, form)


def tracking_response() -> Any:
    store_orders(("erp", "order.received", -48, ordered("SO-1")))
    return Client().get(create_link(Order.objects.get(number="SO-1")))


def test_page_for_customers_has_the_name_the_color_and_the_logo(admin: Client) -> None:
    upload = SimpleUploadedFile("logo.svg", png(), content_type="image/svg+xml")
    answer = save(admin, display_name="Acme <Supply>", accent_color="#FFEE00", logo=upload)
    assert (answer.status_code, answer["Location"]) == (302, URL)
    response = tracking_response()
    page = response.content.decode()
    assert "Acme &lt;Supply&gt; · Order tracking" in page
    [style] = re.findall("<style>(.*?)</style>", page)
    assert style == "@media screen{.track-band{background:#ffee00;color:#000000}}"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'self' 'sha256-{digest}'" in response.headers["Content-Security-Policy"]
    [address] = re.findall(r'<img class="track-logo" src="(.*?)"', page)
    logo = Client().get(address)
    assert logo.content == png()
    assert logo.headers["Content-Type"] == "image/png"
    assert logo.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in logo.headers["Content-Security-Policy"]
    assert "max-age" in logo.headers["Cache-Control"]
    for each in (response, logo):
        assert not each.cookies
        assert "Cookie" not in each.headers.get("Vary", "")
    assert len(response.content) + len(logo.content) < 60_000


def test_without_a_brand_the_page_is_neutral() -> None:
    response = tracking_response()
    page = response.content.decode()
    assert "<b>Order tracking</b>" in page
    assert "<style" not in page
    assert "<img" not in page
    assert "style-src 'self'" in response.headers["Content-Security-Policy"]


def test_a_link_that_opens_nothing_has_the_brand_too(admin: Client) -> None:
    save(admin, display_name="Acme")
    assert "Acme · Order tracking" in Client().get("/track/nothing").content.decode()


def test_changes_are_audited_and_the_logo_is_removed(admin: Client) -> None:
    save(admin, display_name="Acme", logo=SimpleUploadedFile("logo", JPEG))
    first = AuditEntry.objects.get(action="organization.brand_changed")
    assert first.detail["after"] == {
        "display_name": "Acme",
        "logo": f"{hashlib.sha256(JPEG).hexdigest()[:16]}.jpeg",
    }
    address = f"/brand/{CustomerBrand.objects.get().logo_name}"
    assert Client().get(address).status_code == 200
    save(admin, display_name="Acme", remove_logo="on")
    assert Client().get(address).status_code == 404
    assert AuditEntry.objects.filter(action="organization.brand_changed").count() == 2
    # What stays the same is no change.
    save(admin, display_name="Acme")
    assert AuditEntry.objects.filter(action="organization.brand_changed").count() == 2


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"display_name": "x" * 81}, "Enter at most 80 characters."),
        ({"accent_color": "red"}, "Enter a color with six hexadecimal digits"),
        ({"accent_color": "#fff}*{display:none"}, "Enter a color with six hexadecimal digits"),
        ({"logo": b"<svg/>"}, "Choose a PNG, JPEG or WebP image."),
        ({"logo": png() + b"x"}, "The image is damaged"),
        ({"logo": b"\x89PNG\r\n\x1a\n" + b"x" * 40_000}, "The image must have at most 32 kB."),
    ],
)
def test_each_error_is_at_its_field(admin: Client, values: Any, sentence: str) -> None:
    api = dict(values)
    if "logo" in values:
        values = {"logo": SimpleUploadedFile("logo.png", values["logo"])}
        api = {"logo": base64.b64encode(api["logo"]).decode()}
    answer = save(admin, **values)
    assert answer.status_code == 422
    assert f'<strong class="field-error">{sentence}' in answer.content.decode()
    refused = admin.patch(API, api, content_type="application/json")
    assert refused.status_code == 400
    assert [error["path"] for error in refused.json()["errors"]] == list(api)
    assert not CustomerBrand.objects.exists()


def test_over_the_api(admin: Client) -> None:
    empty = {"display_name": "", "accent_color": "", "logo_path": "", "version": 0}
    assert admin.get(API).json() == empty
    body = {"accent_color": "#0b5cad", "logo": base64.b64encode(WEBP).decode(), "version": 0}
    changed = admin.patch(API, body, content_type="application/json").json()
    assert (changed["accent_color"], changed["version"]) == ("#0b5cad", 1)
    assert Client().get(changed["logo_path"]).content == WEBP
    assert admin.patch(API, body, content_type="application/json").status_code == 409
    removed = admin.patch(API, {"logo": ""}, content_type="application/json").json()
    assert (removed["accent_color"], removed["logo_path"]) == ("#0b5cad", "")


@pytest.mark.parametrize("name", ["nothing", "0" * 16 + ".png", ".png", "../../etc/passwd.png"])
def test_other_names_of_a_logo_open_nothing(name: str) -> None:
    assert Client().get(f"/brand/{name}").status_code == 404
