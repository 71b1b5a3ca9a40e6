"""Connect a source in the browser and over the API: catalog, form, secret shown once."""

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from connectors.catalog import connectors_by_slug
from connectors.systems.shopify.connector import Shopify
from tests.builders.sources import create_source
from tests.builders.users import signed_in, user_of_role
from visibility.ingest.source_secrets import decrypt_secrets, unexpired_signing_secrets
from visibility.models import AuditEntry, IdempotencyKey, Source
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
FORM = "/sources/new/shopify"
API = "/api/v1/sources"
SECRET = "shpss_0123456789abcdef0123456789"


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


def shown(page: str, element: str) -> str:
    match = re.search(rf'id="{element}">([^<]*)<', page)
    assert match, f"{element} is not on the page"
    return unescape(match[1])


def add(client: Client, **members: Any) -> Any:
    return client.post(API, members, "application/json")


def test_the_catalog_lists_every_system_and_searches_them(integrator: Client) -> None:
    assert 'href="/sources/new"' in integrator.get("/sources").content.decode()
    page = integrator.get("/sources/new").content.decode()
    for slug in connectors_by_slug():
        assert f'href="/sources/new/{slug}"' in page
    result = integrator.get("/sources/new?q=polled+dynamics").content.decode()
    assert re.findall(r'<h2><a href="/sources/new/(\w+)"', result) == ["business_central"]
    nothing = integrator.get("/sources/new?q=%3Cb%3E").content.decode()
    assert "No system matches “&lt;b&gt;”" in nothing
    items = integrator.get("/api/v1/connectors?q=polled dynamics").json()["items"]
    assert [item["slug"] for item in items] == ["business_central"]
    assert len(items[0]["steps"]) == 3


def test_the_form_creates_a_source_and_shows_its_secret_once(integrator: Client) -> None:
    form = integrator.get(FORM).content.decode()
    assert 'name="slug" value="shopify"' in form
    assert "Settings &gt; Notifications &gt; Webhooks" in form
    entered = {"slug": "shop", "title": "Web shop", "secret": "", "zone": "UTC", "channel": ""}
    answer = integrator.post(FORM, entered)
    page = answer.content.decode()
    source = Source.objects.get()
    assert (source.slug, source.title, source.role) == ("shop", "Web shop", "shop")
    assert source.config == {"zone": "UTC"}
    assert answer.headers["Cache-Control"] == "no-store"
    secrets = unexpired_signing_secrets(decrypt_secrets(source.sealed_secrets), source.created_at)
    assert secrets == [shown(page, "source-secret").encode()]
    assert shown(page, "source-url").endswith("/hooks/shop")
    assert page.count('data-copy="') == 2
    assert "x-shopify-hmac-sha256" in page
    later = integrator.get("/sources/shop?tab=settings").content.decode()
    assert shown(page, "source-secret") not in later
    entry = AuditEntry.objects.get(action="source.add")
    assert entry.user is not None
    assert (entry.user.username, entry.object) == ("ines", "shop")
    assert shown(page, "source-secret") not in str(entry.detail)


def test_the_form_lists_topics_and_permissions_and_links_to_the_page_of_the_system(
    integrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shopify, "topics", ("orders/create",))
    monkeypatch.setattr(Shopify, "permissions", ("read_orders",))
    create_source("web", connector="shopify")
    for address in (FORM, "/sources/web?tab=settings"):
        page = integrator.get(address).content.decode()
        assert "<li>orders/create</li>" in page, address
        assert "<li>read_orders</li>" in page, address
    assert 'href="/help/systems/shopify"' in integrator.get(FORM).content.decode()
    assert integrator.get("/help/systems/shopify").status_code == 200


def test_errors_are_at_their_fields_and_nothing_typed_is_lost(integrator: Client) -> None:
    create_source("shop")
    entered = {
        "slug": "shop",
        "title": "<b>",
        "secret": "short",
        "zone": "Texas",
        "customer_attribute": "ERP no.",
        "new-id:silent_after.": "shipment.shrunk",
        "new-value:silent_after.": "26 h",
    }
    answer = integrator.post(FORM, entered)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert Source.objects.count() == 1
    for sentence in (
        "A source 'shop' already exists.",
        "A secret needs at least 24 bytes.",
        "'Texas' is not an IANA time zone",
        "'shipment.shrunk'",
    ):
        assert sentence in unescape(page)
    for typed in entered.values():
        assert f'value="{typed.replace("<", "&lt;").replace(">", "&gt;")}"' in page
    assert page.count('aria-invalid="true"') == 4
    for slug in ("new", "a b", "", "x" * 61):
        refused = integrator.post(FORM, {"slug": slug, "secret": SECRET})
        assert refused.status_code == 422
        assert f'value="{SECRET}"' in refused.content.decode()
    assert Source.objects.count() == 1


def test_a_secret_setting_stays_in_the_form_and_is_then_encrypted(integrator: Client) -> None:
    form = "/sources/new/woocommerce"
    required = {"base_url": "https://shop.example.com", "api_key": "top secret of the vendor"}
    page = integrator.post(form, {"slug": "a b", **required}).content.decode()
    assert 'value="top secret of the vendor"' in page
    assert integrator.post(form, {"slug": "shop", **required}).status_code == 200
    source = Source.objects.get()
    assert "top secret" not in str(source.config)
    values = {s.setting: s.value for s in decrypt_secrets(source.sealed_secrets)}
    assert values["api_key"] == "top secret of the vendor"


def test_a_drop_folder_outside_the_allowed_ones_is_refused(integrator: Client) -> None:
    for answer in (
        integrator.post("/sources/new/x12", {"slug": "edi", "drop": "/etc"}),
        add(integrator, slug="edi", connector="x12", settings={"drop": "/etc"}),
    ):
        assert answer.status_code in {400, 422}
        assert "must be inside" in answer.content.decode()
    assert not Source.objects.exists()


def test_the_folder_of_a_system_that_sends_files_is_among_the_first_fields(
    integrator: Client, settings: Settings
) -> None:
    settings.DROP_ROOTS = ["/srv/drop"]
    page = integrator.get("/sources/new/northlog_945").content.decode()
    first = page.partition("More settings")[0]
    assert 'name="drop"' in first
    assert "inside /srv/drop, such as /srv/drop/northlog_945; it is created." in first
    assert 'name="secret"' not in page
    assert 'name="drop"' not in integrator.get(FORM).content.decode()


def test_a_source_of_files_shows_its_folder_and_no_url(
    integrator: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.DROP_ROOTS = [str(tmp_path)]
    form = "/sources/new/northlog_945"
    missing = integrator.post(form, {"slug": "northlog_945"}).content.decode()
    assert Source.objects.get().title == "Ship confirmations as CSV (945)"
    assert "No drop folder and no SFTP server is set, so no file can arrive." in missing
    assert "source-secret" not in missing
    folder = str(tmp_path / "north")
    created = integrator.post(form, {"slug": "north", "drop": folder}).content.decode()
    assert folder in created
    assert "No drop folder and no SFTP server" not in created
    for slug, sentence in (
        ("northlog_945", "No drop folder and no SFTP server"),
        ("north", folder),
    ):
        page = integrator.get(f"/sources/{slug}?tab=settings").content.decode()
        assert sentence in page
        assert f"/hooks/{slug}" not in page
        assert (
            "Test this source"
            not in integrator.get(f"/sources/{slug}?tab=requests").content.decode()
        )


@pytest.mark.parametrize(
    ("public_url", "is_local"), [("http://127.0.0.1:8000", True), ("https://acme.example", False)]
)
def test_a_url_that_only_this_machine_reaches_is_marked(
    integrator: Client, settings: Settings, public_url: str, *, is_local: bool
) -> None:
    settings.PUBLIC_URL = public_url
    page = integrator.post("/sources/new/odoo", {"slug": "odoo"}).content.decode()
    assert ("Only programs on this machine reach this URL." in page) is is_local
    later = integrator.get("/sources/odoo?tab=settings").content.decode()
    assert f"{public_url}/hooks/odoo?token=</code>" in later
    assert "with the secret of this source at its end" in later


def test_the_api_adds_a_source_with_the_same_checks(integrator: Client) -> None:
    answer = add(
        integrator, slug="shop", connector="shopify", settings={"zone": "UTC"}, secret=SECRET
    )
    assert answer.status_code == 201
    content = answer.json()
    assert (content["slug"], content["secret"]) == ("shop", SECRET)
    assert content["webhook_url"].endswith("/hooks/shop")
    assert Source.objects.get().config == {"zone": "UTC"}
    refused = add(
        integrator,
        slug="shop",
        connector="shopify",
        settings={"zone": "Texas", "paint": "red"},
        secret="short",
    )
    assert refused.status_code == 400
    assert {error["path"] for error in refused.json()["errors"]} == {
        "slug",
        "secret",
        "settings.zone",
        "settings.paint",
    }
    unknown = add(integrator, slug="x", connector="nothing")
    assert [error["path"] for error in unknown.json()["errors"]] == ["connector"]
    assert Source.objects.count() == 1


def test_a_repeated_request_adds_nothing_and_does_not_repeat_the_secret(
    integrator: Client,
) -> None:
    def send() -> Any:
        body = {"slug": "odoo", "connector": "odoo"}
        return integrator.post(API, body, "application/json", headers={"Idempotency-Key": "key-1"})

    first, second = send(), send()
    secret = first.json()["secret"]
    assert first.json()["webhook_url"].endswith(f"/hooks/odoo?token={quote(secret, safe='')}")
    assert second.status_code == 201
    assert secret not in second.content.decode()
    assert secret not in IdempotencyKey.objects.get().response_body
    assert Source.objects.count() == 1


@pytest.mark.parametrize("role", [r for r in UserRole if r not in {"integrator", "admin"}])
def test_others_may_not_add_sources(role: UserRole) -> None:
    client = signed_in(role)
    for answer in (
        client.get("/sources/new"),
        client.get(FORM),
        client.post(FORM, {"slug": "shop"}),
        add(client, slug="shop", connector="shopify"),
        client.get("/api/v1/connectors"),
    ):
        assert answer.status_code == 403
    assert not Source.objects.exists()
    assert 'href="/sources/new"' not in client.get("/sources").content.decode()


def test_a_form_without_its_token_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_of_role(UserRole.ADMIN))
    assert client.post(FORM, {"slug": "shop"}).status_code == 403
    assert not Source.objects.exists()
