"""What the pages of sources say about settings: labels, sources that issue numbers, unused ones."""

import re
from html import unescape

import pytest
from django.test import Client

from tests.builders.sources import create_source
from tests.builders.users import signed_in
from visibility.models import Source
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
SETTINGS = "/sources/odoo?tab=settings"
NOT_CONNECTED = "No source is named shop, the default."


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


def text(client: Client, url: str) -> str:
    return unescape(client.get(url).content.decode())


def odoo(**config: str) -> Source:
    return create_source("odoo", title="Odoo", connector="odoo", role="erp", config=config)


def test_a_zone_is_offered_only_where_the_connector_reads_it(integrator: Client) -> None:
    assert 'name="zone"' not in text(integrator, "/sources/new/odoo")
    assert 'name="zone"' in text(integrator, "/sources/new/cloudevents")
    posted = {"slug": "odoo", "zone": "UTC"}
    assert integrator.post("/sources/new/odoo", posted).status_code == 422


def test_a_stored_zone_without_effect_is_named_as_unused_and_stays(integrator: Client) -> None:
    source = odoo(zone="UTC")
    page = text(integrator, SETTINGS)
    assert "Time zone (not used)" in page
    assert "zone</code>: This setting is not used" in page
    assert "Invalid settings" not in page
    assert integrator.post("/sources/odoo/settings", {"shop": "web"}).status_code == 302
    source.refresh_from_db()
    assert source.config == {"zone": "UTC", "shop": "web"}
    assert integrator.post("/sources/odoo/settings", {"zone": ""}).status_code == 302
    source.refresh_from_db()
    assert source.config == {"shop": "web"}
    assert "not used" not in text(integrator, SETTINGS)


def test_sources_that_issue_numbers_are_offered_by_title(integrator: Client) -> None:
    create_source("web", title="Web <shop>")
    create_source("old", title="Old shop", enabled=False, archived_at="2026-01-01T00:00:00Z")
    for url in ("/sources/new/odoo", SETTINGS):
        if url == SETTINGS:
            odoo()
        page = integrator.get(url).content.decode()
        assert '<option value="web">Web &lt;shop&gt;</option>' in page
        assert 'value="old"' not in page
        assert '<option value="odoo">' not in page
        assert "Web shop that issues order numbers" in page


def test_a_value_that_names_no_source_is_warned_about(integrator: Client) -> None:
    assert NOT_CONNECTED in text(integrator, "/sources/new/odoo")
    source = odoo()
    for tab in ("overview", "settings"):
        assert NOT_CONNECTED in text(integrator, f"/sources/odoo?tab={tab}")
    items = integrator.get("/api/v1/sources/odoo/settings").json()["settings"]
    (shop,) = (item for item in items if item["name"] == "shop")
    assert (shop["type"], shop["label"]) == ("source", "Web shop that issues order numbers")
    assert NOT_CONNECTED in shop["warning"]
    create_source("shop")
    assert "Settings to check" not in text(integrator, SETTINGS)
    for name, value in (("shop", "web"), ("number_issuers", "invoice:web shipment:odoo")):
        source.config = {name: value}
        source.save()
        assert f"{name}</code>: No source is named web." in text(integrator, "/sources/odoo")
    create_source("dock", config={"order_number": "sales_order@web"})
    assert "order_number</code>: No source is named web." in text(integrator, "/sources/dock")


def test_labels_of_settings_are_for_people_and_their_names_are_in_the_hint(
    integrator: Client,
) -> None:
    page = text(integrator, "/sources/new/business_central")
    assert re.search(r"<label[^>]*>API URL of the company</label>", page)
    assert "<code>base_url</code>" in page
    assert "<label" in page
    assert not re.search(r"<label[^>]*>(<code>)?[a-z_]+(</code>)?</label>", page)


def test_a_manifest_source_shows_the_request_that_its_manifest_asks_for(
    integrator: Client,
) -> None:
    odoo()
    create_source("parcels", connector="easypost", role="carrier")
    assert '/hooks/odoo?token=$SECRET"' in text(integrator, SETTINGS)
    page = text(integrator, "/sources/parcels?tab=settings")
    assert 'openssl dgst -sha256 -hmac "$SECRET"' in page
    assert '-H "x-hmac-signature: hmac-sha256-hex=$SIGNATURE"' in page
