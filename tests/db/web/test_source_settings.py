"""The form of source settings: checked like the command line, with an error at the field."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.builders.sources import create_source
from tests.builders.users import signed_in
from tests.builders.watched_source import store_message
from visibility.db.database_time import database_now
from visibility.ingest import source_secrets
from visibility.models import AuditEntry, RefoldRequest, Source, SourceActivity
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
URL = "/sources/wms/settings"


@pytest.fixture
def integrator() -> Client:
    return signed_in(UserRole.INTEGRATOR, "ines")


@pytest.fixture
def wms() -> Source:
    config = {"zone": "UTC", "warehouse.7": "Dallas"}
    return create_source(connector="shiphero", config=config, role="wms")


def test_the_form_has_a_field_for_every_setting(integrator: Client, wms: Source) -> None:
    page = integrator.get("/sources/wms?tab=settings").content.decode()
    for name in ("order_number", "zone", "test_traffic", "warehouse.7", "role", "governed"):
        assert f'name="{name}"' in page
    assert "number range, such as sales_order@erp" in page


def test_only_changed_settings_are_saved_and_audited(integrator: Client, wms: Source) -> None:
    posted = {"zone": "America/Chicago", "order_number": "sales_order@erp", "warehouse.7": "Dallas"}
    answer = integrator.post(URL, posted)
    assert (answer.status_code, answer.headers["location"]) == (302, "/sources/wms?tab=settings")
    wms.refresh_from_db()
    assert wms.config == posted
    entry = AuditEntry.objects.get(action="source.set")
    assert entry.detail["settings"] == ["order_number", "zone"]
    assert entry.user is not None
    assert entry.user.username == "ines"
    integrator.post(URL, posted)
    assert AuditEntry.objects.filter(action="source.set").count() == 1
    integrator.post(URL, {"order_number": ""})
    wms.refresh_from_db()
    assert wms.config == {"zone": "America/Chicago", "warehouse.7": "Dallas"}


def test_invalid_values_are_shown_at_their_field_and_not_saved(
    integrator: Client, wms: Source
) -> None:
    posted = {"zone": "Texas<b>", "order_number": "order@erp", "test_traffic": "maybe"}
    answer = integrator.post(URL, posted)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "is not an IANA time zone" in page
    assert "is not a scheme" in page
    assert "neither yes nor no" in page
    assert "Texas&lt;b&gt;" in page
    assert page.count('aria-invalid="true"') == 3
    wms.refresh_from_db()
    assert wms.config == {"zone": "UTC", "warehouse.7": "Dallas"}


def test_unknown_settings_cannot_be_posted(integrator: Client) -> None:
    feed = create_source(connector="x12", config={})
    integrator.post(URL, {"color": "red", "source": "other"})
    feed.refresh_from_db()
    assert feed.config == {}


def test_the_drop_folder_must_be_inside_the_allowed_folders(
    integrator: Client, tmp_path: Path, settings: Settings
) -> None:
    settings.DROP_ROOTS = [str(tmp_path)]
    feed = create_source(connector="x12", config={})
    answer = integrator.post(URL, {"drop": "/etc"})
    assert answer.status_code == 422
    assert "The folder must be inside" in answer.content.decode()
    assert integrator.post(URL, {"drop": f"{tmp_path}/north"}).status_code == 302
    assert (tmp_path / "north").is_dir()
    feed.refresh_from_db()
    assert feed.config == {"drop": f"{tmp_path}/north"}


def test_an_entry_is_added_to_a_family(integrator: Client, wms: Source) -> None:
    page = integrator.get("/sources/wms?tab=settings").content.decode()
    assert 'name="new-id:warehouse."' in page
    new = {"new-id:warehouse.": "8", "new-value:warehouse.": "Austin"}
    assert integrator.post(URL, new).status_code == 302
    wms.refresh_from_db()
    assert wms.config == {"zone": "UTC", "warehouse.7": "Dallas", "warehouse.8": "Austin"}
    for incomplete in (
        {"new-id:warehouse.": "8", "new-value:warehouse.": "Dallas"},
        {"new-id:warehouse.": "9"},
        {"new-value:warehouse.": "Dallas"},
    ):
        answer = integrator.post(URL, incomplete)
        assert answer.status_code == 422
        assert answer.content.decode().count('aria-invalid="true"') == 1
    assert AuditEntry.objects.filter(action="source.set").count() == 1


def test_a_stored_secret_can_be_removed(integrator: Client) -> None:
    feed = create_source(connector="woocommerce", config={})
    page = integrator.get("/sources/wms?tab=settings").content.decode()
    assert "remove-secret:api_key" not in page
    integrator.post(URL, {"api_key": "ck_1:cs_2"})
    page = integrator.get("/sources/wms?tab=settings").content.decode()
    assert 'name="remove-secret:api_key"' in page
    integrator.post(URL, {"api_key": "", "remove-secret:api_key": "yes"})
    feed.refresh_from_db()
    assert source_secrets.decrypt_secrets(feed.sealed_secrets) == []


def test_secrets_are_replaced_and_never_shown(integrator: Client) -> None:
    feed = create_source(connector="woocommerce", config={})
    integrator.post(URL, {"base_url": "https://shop.example.com", "api_key": "ck_1:cs_2"})
    feed.refresh_from_db()
    assert feed.config == {"base_url": "https://shop.example.com"}
    assert feed.next_poll_at is not None
    integrator.post(URL, {"api_key": "", "prefix": "WS-"})
    feed.refresh_from_db()
    sealed = source_secrets.decrypt_secrets(feed.sealed_secrets)
    assert source_secrets.secret_setting_values_by_name(sealed) == {"api_key": "ck_1:cs_2"}
    page = integrator.get("/sources/wms?tab=settings").content.decode()
    assert "ck_1" not in page
    assert 'class="form-control masked"' in page


def test_a_source_without_connector_has_no_form(integrator: Client) -> None:
    create_source(connector="removed")
    page = integrator.get("/sources/wms?tab=settings").content.decode()
    assert "Edit settings" not in page
    assert integrator.post(URL, {"zone": "UTC"}).status_code == 302


@pytest.mark.parametrize("role", [UserRole.OPERATIONS, UserRole.CUSTOMER_SERVICE])
def test_other_roles_may_not_change_settings(role: UserRole, wms: Source) -> None:
    assert signed_in(role).post(URL, {"zone": "Europe/Berlin"}).status_code == 403
    wms.refresh_from_db()
    assert wms.config["zone"] == "UTC"


def test_an_unusable_stored_source_breaks_no_page(integrator: Client) -> None:
    feed = create_source(connector="shiphero", config=["zone"], sealed_secrets="of another key")
    assert integrator.get("/sources/wms?tab=settings").status_code == 200
    answer = integrator.post(URL, {"zone": "UTC"})
    assert answer.status_code == 422
    assert "Replace the secret (manage.py source rotate) first" in answer.content.decode()
    Source.objects.update(sealed_secrets="")
    assert integrator.post(URL, {"zone": "UTC"}).status_code == 302
    feed.refresh_from_db()
    assert feed.config == {"zone": "UTC"}


def test_the_secret_of_the_source_is_replaced(integrator: Client, wms: Source) -> None:
    answer = integrator.post(URL, {"new-secret": "short"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert page.count('aria-invalid="true"') == 1
    assert "A secret needs at least 24 bytes." in page
    assert integrator.post(URL, {"new-secret": "  "}).status_code == 302
    assert not AuditEntry.objects.exists()
    secret = "a-new-secret-of-the-warehouse-system"
    assert integrator.post(URL, {"new-secret": secret}).status_code == 302
    wms.refresh_from_db()
    sealed = source_secrets.decrypt_secrets(wms.sealed_secrets)
    assert [(s.value, s.setting) for s in sealed] == [(secret, "")]
    assert secret not in integrator.get("/sources/wms?tab=settings").content.decode()


def test_the_silence_limit_is_set_for_the_source_and_its_event_types(
    integrator: Client, wms: Source
) -> None:
    page = integrator.get("/sources/wms").content.decode()
    assert "1 h, default" in page
    posted = {
        "silent_after": "26 h",
        "new-id:silent_after.": "pack.completed",
        "new-value:silent_after.": "2 h",
    }
    assert integrator.post(URL, posted).status_code == 302
    wms.refresh_from_db()
    assert wms.expect_every == timedelta(hours=26)
    assert SourceActivity.objects.get().event_type == "pack.completed"
    page = integrator.get("/sources/wms").content.decode()
    assert "1 d 2 h, set for this source" in page
    assert "Silence limit for pack.completed events" in page
    assert integrator.post(URL, {"silent_after": ""}).status_code == 302
    wms.refresh_from_db()
    assert wms.expect_every == timedelta(hours=1)


def test_a_limit_of_an_unknown_event_type_is_refused_at_its_field(
    integrator: Client, wms: Source
) -> None:
    posted = {"new-id:silent_after.": "packing", "new-value:silent_after.": "2 h"}
    answer = integrator.post(URL, posted)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "is not an event type, such as shipment.confirmed." in page
    assert page.count('aria-invalid="true"') == 1


def test_a_limit_set_in_the_database_stays_until_somebody_sets_one(
    integrator: Client, wms: Source
) -> None:
    Source.objects.update(expect_every=timedelta(hours=5))
    assert integrator.post(URL, {"zone": "America/Chicago"}).status_code == 302
    wms.refresh_from_db()
    assert wms.expect_every == timedelta(hours=5)
    assert "5 h, set in the database" in integrator.get("/sources/wms").content.decode()


def test_a_change_of_warehouses_checks_open_orders_again(integrator: Client, wms: Source) -> None:
    erp = create_source("erp", role="erp")
    store_message(erp, "order.received", database_now())
    job_functions.process_messages_and_refold()
    assert not RefoldRequest.objects.exists()
    integrator.post(URL, {"zone": "America/Chicago"})
    assert not RefoldRequest.objects.exists()
    integrator.post(URL, {"warehouses": "Dallas"})
    assert RefoldRequest.objects.count() == 1


def test_the_settings_of_the_system_are_first_even_without_a_value(integrator: Client) -> None:
    create_source("odoo", connector="odoo", config={"silent_after": "never"})
    page = integrator.get("/sources/odoo?tab=settings").content.decode()
    first, _, more = page.partition("<summary>More settings</summary>")
    for name in ("shop", "silent_after"):
        assert f'name="{name}"' in first
    assert 'name="number_issuers"' in more
