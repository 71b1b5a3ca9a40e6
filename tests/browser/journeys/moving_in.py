"""The steps of a distributor who moves in, by links and forms only."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import httpx2
from playwright.sync_api import Page, expect

from tests.browser.journeys.new_product import reload_until_visible
from tests.builders.fedex_server import FedExServer
from tests.builders.manifest_systems import (
    TRACKING,
    drop_file,
    odoo_order,
    scan,
    woocommerce_order,
    woocommerce_signature,
)
from tests.builders.second_factors import code_of
from tests.builders.sink import RecordingServer
from tests.builders.smtp_server import RecordingMailServer
from tests.product import Product, empty_database

PASSWORD, PASSPHRASE = "correct-horse-battery", "a-passphrase-for-backups"
CLIENT_ID, CLIENT_SECRET = "fedex-client", "fedex-client-secret"
LONG = 60_000  # milliseconds, for what a worker does


def set_up(page: Page, product: Product) -> None:
    """The printed link, the organization, and the second factor."""
    link = re.search(r"/setup/\S+", product.manage("setup_link"))
    assert link
    page.goto(link[0])
    page.get_by_label("Username").fill("ada")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_label("Name of the organization").fill("Acme Distribution")
    page.get_by_label("Time zone").fill("America/Chicago")
    page.get_by_role("button", name="Set up Throughline").click()
    add_app(page)
    expect(page.locator("main")).to_contain_text("1 of 8 steps are done")


def add_app(page: Page) -> str:
    """Set up an authenticator app, which the installation requires; return its key."""
    page.get_by_role("link", name="Set up an app").click()
    page.get_by_text("Cannot scan?").click()
    key = page.locator("main details code").inner_text()
    page.get_by_label("Number that the app shows").fill(code_of(key))
    page.get_by_role("button", name="Set up", exact=True).click()
    page.get_by_role("link", name="I have stored them").click()
    return key


def connect(page: Page, system: str, slug: str, secret: str = "", **settings: str) -> list[str]:
    """Connect a system in the catalog; return its webhook URL, if it has one, and its secret."""
    page.goto("/sources")
    page.get_by_role("link", name="Connect a source").first.click()
    page.get_by_role("searchbox", name="Search systems").fill(system)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=system, exact=True).click()
    page.get_by_label("Name in addresses").fill(slug)
    if secret:
        page.get_by_label("Secret of the source").fill(secret)
    for name, text in settings.items():
        field = page.locator(f"main input[name={name}]")
        if not field.is_visible():
            page.locator("main summary", has_text="More settings").click()
        field.fill(text)
    page.get_by_role("button", name="Create source").click()
    expect(page.get_by_role("heading", name=re.compile("created$"))).to_be_visible()
    return page.locator("#source-url, #source-secret").all_inner_texts()


def report_order(
    page: Page, product: Product, fedex: FedExServer, at: datetime
) -> tuple[list[str], str]:
    """A shop and an ERP by webhook, a 3PL by files, a carrier by a poll: one order."""
    shop = connect(page, "WooCommerce", "shop", prefix="WS-")
    body = woocommerce_order(at)
    accepted = httpx2.post(shop[0], content=body, headers=woocommerce_signature(body, shop[1]))
    assert accepted.status_code == 202
    rows = page.locator("#source-requests tbody tr")
    expect(rows.first).to_contain_text("valid signature")
    expect(rows.first).to_contain_text("Processed", timeout=LONG)

    erp_url = connect(page, "Odoo", "erp")[0]
    released_at = at + timedelta(minutes=5)
    assert httpx2.post(erp_url, content=odoo_order(released_at)).status_code == 202
    expect(rows.first).to_contain_text("Processed", timeout=LONG)

    folder = product.folder / "drop" / "north"
    connect(page, "Ship confirmations as CSV (945)", "north", drop=str(folder))
    drop_file(folder, at + timedelta(hours=1))
    expect(rows.first).to_contain_text("Processed", timeout=LONG)

    fedex.scans = {
        TRACKING: [
            scan("DL", at + timedelta(days=2), "Delivered"),
            scan("PU", at + timedelta(hours=20), "Picked up"),
        ]
    }
    access = {"client_id": CLIENT_ID, "base_url": fedex.url}
    connect(page, "FedEx Track", "fedex", CLIENT_SECRET, **access)
    expect(rows.first).to_contain_text("Processed", timeout=LONG)
    describe_own_system(page, at + timedelta(minutes=40))
    page.get_by_role("combobox", name="Search").fill("S00042")
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_contain_text("S00042")
    order = page.locator("main")
    for text in (
        "5011",
        "Delivered",
        "NL-771",
        TRACKING,
        "WooCommerce",
        "Odoo",
        "FedEx Track",
        "Packed",
        "dock",
    ):
        expect(order).to_contain_text(text)
    return shop, erp_url


def describe_own_system(page: Page, at: datetime) -> None:
    """A dock with scanners that nobody knows: a manifest from a pasted message, then its source."""
    message = {"order_no": "S00042", "status": "packed", "scanned_at": at.isoformat()}
    page.goto("/sources")
    page.get_by_role("link", name="Connect a source").first.click()
    page.get_by_role("link", name="Describe a system yourself").click()
    page.get_by_label("Name of the system").fill("dock_scanner")
    page.get_by_label("Sample", exact=True).fill(json.dumps(message))
    page.get_by_role("button", name="Create draft").click()
    editor = page.get_by_role("textbox", name="Draft")
    text = editor.input_value()
    for drafted, corrected in (
        ("role: other", "role: wms"),
        ("{scheme: order_number,", "{scheme: sales_order, issuer: erp,"),
    ):
        assert drafted in text
        text = text.replace(drafted, corrected)
    assert "type: pack.completed" in text
    assert "gives: [pack.completed]" in text
    editor.fill(text)
    page.get_by_role("button", name="Check").first.click()
    expect(page.get_by_role("heading", name="No problems")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 is live: all processes")).to_be_visible()
    url, secret = connect(page, "Dock Scanner", "dock")
    headers = {"authorization": f"Bearer {secret}"}
    assert httpx2.post(url, json=message, headers=headers).status_code == 202
    row = page.locator("#source-requests tbody tr").first
    expect(row.get_by_role("link", name="S00042")).to_be_visible(timeout=LONG)


def set_up_channels(page: Page, mail_server: RecordingMailServer, chat: RecordingServer) -> None:
    """A mail server, an email subscription and a chat subscription, each with a test."""
    page.goto("/mail-server")
    page.get_by_label("Host").fill("127.0.0.1")
    page.locator("#f-port").fill(str(mail_server.port))
    page.get_by_label("Encryption").select_option("none")
    page.get_by_label("Sender").fill("throughline@acme.example")
    page.get_by_role("button", name="Save mail server").click()
    page.get_by_label("Send a test message to").fill("ada@acme.example")
    page.get_by_role("button", name="Send test message").click()
    expect(page.locator("#flashes")).to_contain_text("accepted")
    for name, fields in {
        "email": {"Email address": "dock@acme.example"},
        "Slack": {"Slack channel": "#dock", "Webhook URL": f"{chat.url}/hook"},
    }.items():
        page.goto("/subscriptions")
        page.get_by_role("link", name=f"Add {name} subscription").click()
        for label, text in fields.items():
            page.get_by_label(label).fill(text)
        page.get_by_label("Subscription of the team").select_option("Operations")
        page.get_by_role("button", name="Add subscription").click()
        page.get_by_role("button", name="Send a test message").click()
        expect(page.locator("#flashes")).to_contain_text("The server accepted the test message.")


def watch_a_promise(page: Page) -> None:
    """A rule with a calendar of its own and a scope, which a second order breaches."""
    page.goto("/calendars/new")
    page.get_by_label("Title").fill("Dock")
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"):
        page.get_by_role("group", name="Working hours").get_by_label(day).fill("00:00-24:00")
    page.get_by_role("button", name="Create calendar").click()
    expect(page.locator("#flashes")).to_contain_text("Calendar created.")
    page.goto("/rules/new?kind=stuck_in_released")
    page.get_by_label("Calendar whose working hours count").select_option("Dock")
    page.get_by_label("Owner team").fill("Operations")
    page.get_by_label("Title").fill("Leaves the dock in 4 h")
    page.get_by_label("Sales channel").fill("web")
    page.get_by_role("button", name="Preview alerts").click()
    expect(page.locator("#rule-draft")).to_contain_text(
        "This rule would open 0 alerts now; 1 over the last 3 days."
    )
    page.get_by_role("button", name="Create rule").click()
    expect(page.get_by_text("Rule created.")).to_be_visible()


def invite(page: Page, invited: Page, **person: str) -> str:
    """Invite a person, who accepts the link and sets up an app; return the key of the app."""
    page.goto("/people/new")
    page.get_by_label("Username").fill(person["username"])
    page.get_by_label("First name").fill(person["username"].title())
    page.get_by_label("Last name").fill("Example")
    page.get_by_label("Role").select_option(person["role"])
    if team := person.get("team"):
        page.get_by_label(team).check()
    page.get_by_role("button", name="Create account and link").click()
    link = page.locator("#link-text").input_value()
    invited.goto(link)
    invited.get_by_label("New password", exact=True).fill(PASSWORD)
    invited.get_by_label("New password again").fill(PASSWORD)
    invited.get_by_role("button", name="Set password and sign in").click()
    return add_app(invited)


def acknowledge(page: Page, mail_server: RecordingMailServer, chat: RecordingServer) -> None:
    """The colleague learns of the alert from mail and chat, and acknowledges it in the inbox."""
    alert = page.locator("main").get_by_role("link", name="S00043").first
    reload_until_visible(page, "/alerts?by=one", alert)
    alert.click()
    expect(page.locator("main")).to_contain_text("Leaves the dock in 4 h")
    page.get_by_role("button", name="Acknowledge").first.click()
    expect(page.locator("main")).to_contain_text("Acknowledged by Grace Example")
    mails = [text for text in mail_server.texts if "S00043" in text]
    assert len(mails) == 1
    assert "/alerts/" in mails[0]
    assert [post for post in chat.posts if b"S00043" in post.body]


def view_target(ada: Page, executive: Page) -> None:
    """The administrator sets a target for the web channel; the executive sees it beside her KPI."""
    ada.goto("/kpi-targets?kpi=fill_rate")
    ada.locator("#value").fill("91.5")
    ada.get_by_label("Applies to").select_option("Web")
    ada.get_by_role("button", name="Set target").click()
    expect(ada.get_by_role("table")).to_contain_text("91.5%")
    expect(executive).to_have_url(re.compile("/numbers"))
    executive.locator("summary", has_text="KPI filters").click()
    executive.locator("#range-more select[name=channel]").select_option("Web")
    executive.get_by_role("button", name="Apply filters").click()
    expect(executive.locator("main")).to_contain_text("8.5 points above the 91.5% target")


@contextmanager
def restored(product: Product) -> Iterator[None]:
    """Back up, and run only what a restore of the file brings to an empty machine."""
    file = product.folder / "acme.backup"
    product.environment["BACKUP_PASSPHRASE"] = PASSPHRASE
    product.manage("backup", str(file))
    product.stop()
    with empty_database() as url:
        folder = product.folder / "new-machine"
        product.environment |= {"DATABASE_URL": url, "DATA_DIR": str(folder)}
        product.manage("restore", str(file))
        product.manage("collectstatic", "--noinput")
        product.start("web")
        yield
        product.stop()


def sign_in(page: Page, name: str, key: str) -> None:
    """Sign in with a password and a code of the app."""
    page.goto("/signin")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator("#code").fill(code_of(key))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile("/alerts"))
