"""Tasks of four roles in a real browser on the complete running product."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.journeys import alert_inbox, page_states
from tests.browser.journeys.browser import DESKTOP_WIDTH, PHONE_WIDTH, PageWatch, chromium
from tests.browser.journeys.order_list_walk import (
    palette_offers_recent_pages_and_actions,
    preview_lies_over_the_list_on_a_narrow_screen,
    walk_order_list_by_keyboard,
)
from tests.browser.journeys.page_checks import EXPECTED_PROBLEMS, PAGES, is_variant, page_problems
from tests.browser.journeys.running_demo import TRUNCATED_PAYLOAD, RunningDemo, run_demo

pytestmark = pytest.mark.django_db
Enter = Callable[[str], Page]
# Milliseconds. Worker and scheduler run every two seconds; a busy machine takes longer.
SOON_MILLISECONDS = 30_000


@pytest.fixture(scope="module")
def distributor(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[RunningDemo]:
    """The running demo; its database is emptied afterwards."""
    with django_db_blocker.unblock(), run_demo(tmp_path_factory.mktemp("demo")) as running_demo:
        yield running_demo


@pytest.fixture(scope="module")
def browser(distributor: RunningDemo) -> Iterator[Browser]:
    """One browser for the module; each user has their own context."""
    with chromium() as chromium_browser:
        yield chromium_browser


@pytest.fixture
def enter(browser: Browser, distributor: RunningDemo) -> Iterator[Enter]:
    """Sign in as a demo user in a new browser context; fail if a page reported a problem."""
    watch = PageWatch(distributor.product.url.removeprefix("http://"))
    with ExitStack() as contexts:

        def open_as(who: str) -> Page:
            context = browser.new_context(
                base_url=distributor.product.url,
                viewport={"width": DESKTOP_WIDTH, "height": 900},
                reduced_motion="reduce",
            )
            contexts.callback(context.close)
            page = context.new_page()
            watch.watch_page(page)
            sign_in(page, who)
            return page

        yield open_as
        assert watch.problems == []


def sign_in(page: Page, who: str) -> None:
    """Sign in as a demo user with one click."""
    page.goto("/signin")
    page.click(f"button[value={who}]")
    expect(page.locator("nav.rail")).to_be_visible()
    page.wait_for_load_state("load")


@pytest.mark.parametrize("kind", ["po", "tracking", "invoice"])
def test_clerk_finds_an_order_by_any_number_and_reads_its_status(
    kind: str, enter: Enter, distributor: RunningDemo
) -> None:
    page = enter("clerk")
    page.keyboard.press("/")
    page.keyboard.type(getattr(distributor.records, kind))
    first = page.locator("#search-list [role=option]").first
    expect(first).to_contain_text(distributor.records.number)
    page.keyboard.press("ArrowDown")
    expect(first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/orders/{distributor.records.order}")
    assert page.inner_text("h1") == distributor.records.number
    answer = page.inner_text("#answer")
    assert answer.startswith(("Delivered", "Shipped", "Invoiced", "Completed"))
    assert answer.endswith(".")


def test_clerk_walks_the_order_list_by_keyboard(enter: Enter, distributor: RunningDemo) -> None:
    page = enter("clerk")
    walk_order_list_by_keyboard(page)
    preview_lies_over_the_list_on_a_narrow_screen(page)
    palette_offers_recent_pages_and_actions(
        page, distributor.records.order, distributor.records.number
    )


def test_clerk_walks_the_timeline_copies_a_number_and_mentions_a_colleague(
    enter: Enter, distributor: RunningDemo
) -> None:
    page = enter("clerk")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/orders/{distributor.records.order}")
    focused = page.locator("[data-marker]:focus")
    page.locator(".lane a[data-marker]").first.focus()
    start = page.evaluate("document.activeElement.ariaLabel")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.ariaLabel") != start
    page.keyboard.press("End")
    page.keyboard.press("Home")
    expect(focused).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#event")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#event")).to_have_count(0)
    expect(focused).to_have_count(1)

    page.click("[data-zoom=in]")
    expect(page.locator(".lanes")).to_have_attribute("style", re.compile("--scale:2"))
    expect(page.locator("[data-zoom=in]")).to_be_focused()

    page.click(f"[data-copy-text='{distributor.records.tracking}']")
    assert page.evaluate("navigator.clipboard.readText()") == distributor.records.tracking
    page.keyboard.press("y")
    page.wait_for_function("navigator.clipboard.readText().then(text => text.startsWith('Order '))")

    page.keyboard.press("c")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("@operations the customer called")
    page.click("text=Add note")
    expect(page.locator("#flashes")).to_contain_text("Mentioned:")
    expect(page.locator("#order-activity")).to_contain_text("the customer called")
    lead = enter("operations")
    lead.goto("/mentions")
    expect(lead.locator("main")).to_contain_text("the customer called")


def test_new_alert_and_its_acknowledgement_appear_on_open_pages(
    enter: Enter, distributor: RunningDemo
) -> None:
    alerts = enter("operations")
    alerts.goto("/alerts?view=open&by=one&sort=newest")
    board = alerts.context.new_page()
    board.goto("/boards/operations")
    expect(board.locator(".top-alerts")).not_to_contain_text("SO-STUCK")
    for page in (alerts, board):
        page.evaluate("window.sameDocument = true")
    distributor.report_stuck_order("SO-STUCK", hours=5)
    expect(alerts.locator("#alerts-new")).to_contain_text(
        "Show new alerts: 1", timeout=SOON_MILLISECONDS
    )
    expect(board.locator(".top-alerts")).to_contain_text("SO-STUCK", timeout=SOON_MILLISECONDS)
    for page in (alerts, board):
        assert page.evaluate("window.sameDocument") is True

    alerts.click("#alerts-new a")
    row = alerts.locator("tr[data-id]", has_text="SO-STUCK")
    second = enter("admin")
    second.goto("/alerts?view=open&by=one&sort=newest")
    seen = second.locator("tr[data-id]", has_text="SO-STUCK").locator(".cell-state")
    expect(seen).to_have_text("Open")
    second.evaluate("window.sameDocument = true")
    acknowledge = alerts.locator("button[value=acknowledge]")
    expect(acknowledge).to_be_disabled()
    row.locator(".row-link").focus()
    expect(acknowledge).to_be_enabled()
    alerts.keyboard.press("a")
    expect(row.locator(".cell-state")).to_contain_text("Acknowledged")
    expect(seen).to_contain_text("Acknowledged", timeout=SOON_MILLISECONDS)
    assert second.evaluate("window.sameDocument") is True


def test_alerts_of_one_cause_are_handled_by_keyboard_and_on_a_phone(
    enter: Enter, distributor: RunningDemo
) -> None:
    page = enter("operations")
    page.goto("/alerts?by=one")
    for hours in (6, 7):
        distributor.report_stuck_order(f"SO-GROUP-{hours}", hours=hours)
    expect(page.locator("#alerts-new-count")).to_have_text("2", timeout=SOON_MILLISECONDS)
    alert_inbox.acknowledge_a_group_by_keyboard(page)
    page.set_viewport_size({"width": PHONE_WIDTH, "height": 844})
    alert_inbox.acknowledge_an_alert_on_a_phone(page)


def test_executive_drills_down_from_the_fill_rate_to_its_orders(enter: Enter) -> None:
    page = enter("executive")
    page.wait_for_url("**/numbers")
    order_count_link = page.locator(".kpi-tile", has_text="Line fill rate").locator("p.sub > a")
    stated = int(order_count_link.inner_text().split(",")[1].removesuffix(" orders"))
    assert stated > 10
    order_count_link.click()
    listed: list[str] = []
    for tab in ("Missed", "Filled complete"):
        page.locator(".tabs a", has_text=tab).click()
        count_on_tab = int(page.inner_text(".tabs [aria-current] .count").replace(",", ""))
        numbers = [*_orders_of_all_pages(page)]
        assert len(numbers) == count_on_tab
        listed += numbers
    assert len(listed) == len(set(listed)) == stated
    page.locator("main .table.cards th a").first.click()
    assert page.inner_text("h1") in listed
    expect(page.locator("#answer")).not_to_be_empty()


def _orders_of_all_pages(page: Page) -> Iterator[str]:
    while True:
        yield from page.locator("main .table.cards th a").all_inner_texts()
        following = page.get_by_role("link", name="Next page")
        if not following.count():
            return
        following.click()


def test_integrator_sees_a_parked_message_with_its_reason_and_raw_body(
    enter: Enter, distributor: RunningDemo
) -> None:
    page = enter("integrator")
    page.wait_for_url("**/sources")
    cause = page.locator("#parked tbody tr", has_text="Order desk")
    expect(cause).to_contain_text("Invalid syntax (the message may be truncated)")
    cause.get_by_role("link", name="Order desk").click()
    page.locator("#message-list .row-link").first.click()
    page.wait_for_url(f"**/messages/{distributor.records.parked}")
    expect(page.locator(".answer")).to_contain_text("Parked")
    expect(page.locator(".answer")).to_contain_text("Invalid syntax")
    expect(page.locator(".note").first).to_contain_text("Ask the sender to resend it")
    assert page.locator("pre.payload").count() == 0
    page.get_by_text("Show payload").click()
    assert page.inner_text("pre.payload") == TRUNCATED_PAYLOAD.decode()


@pytest.mark.parametrize("who", PAGES)
def test_pages_fit_the_screen_are_accessible_and_load_only_local_files(
    who: str, browser: Browser, distributor: RunningDemo
) -> None:
    watch = PageWatch(distributor.product.url.removeprefix("http://"))
    context = browser.new_context(base_url=distributor.product.url, reduced_motion="reduce")
    page = context.new_page()
    watch.watch_page(page)
    problems = page_problems(page, "/signin") if who == "clerk" else []
    sign_in(page, who)
    for path in PAGES[who]:
        url = path.format(**vars(distributor.records))
        problems += page_problems(page, url, axe=is_variant(url))
    context.close()
    assert problems == []
    assert sorted(set(watch.problems)) == EXPECTED_PROBLEMS.get(who, [])


def test_menus_previews_dialogs_errors_and_empty_lists_are_accessible_in_both_themes(
    browser: Browser, distributor: RunningDemo
) -> None:
    context = browser.new_context(base_url=distributor.product.url, reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, "admin")
    violations: list[str] = []
    for url in page_states.PAGES_WITH_MENUS:
        violations += page_states.menu_violations(page, url.format(**vars(distributor.records)))
    with page_states.page_of_server_error(page):
        for name in page_states.STATES:
            violations += page_states.state_violations(page, name)
    context.close()
    assert violations == []


TOP_OF_FRAME = """[...document.querySelectorAll(".topbar, .rail")].map(
    (element) => element.getBoundingClientRect().top
)"""
TOP = "(element) => element.getBoundingClientRect().top"
PASTE = """(field, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text", text);
    const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
    if (field.dispatchEvent(event)) field.value = text.replaceAll("\\n", " ");
}"""
RIGHT_OF_MENUS = """(keys) => keys.map((key) => {
    const menu = document.querySelector(`.list-foot summary[data-key=${key}]`).parentElement;
    menu.open = true;
    return new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => {
        resolve(menu.querySelector(".menu-body").getBoundingClientRect().right);
        menu.open = false;
    })));
})"""


def test_nothing_moves_under_the_hand_of_a_clerk(enter: Enter, distributor: RunningDemo) -> None:
    """Paste, scroll, live updates, menus and undo, with a mouse, a keyboard and a phone."""
    page = enter("admin")
    tracking = distributor.records.tracking
    # A number with a space inside is one number: the line ends separate.
    numbers = [distributor.records.number, f"{tracking[:4]} {tracking[4:]}", "SO-NOWHERE-1"]
    page.locator("#search").evaluate(PASTE, "\n".join([*numbers, ""]))
    page.locator("#search").press("Enter")
    expect(page.get_by_role("heading", name="Search results for 3 numbers")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(4)

    page.goto("/orders")
    for width in (DESKTOP_WIDTH, PHONE_WIDTH):
        page.set_viewport_size({"width": width, "height": 844})
        page.evaluate("scrollTo(0, 1500)")
        tops = page.evaluate(TOP_OF_FRAME)
        assert min(tops) == 0, (width, tops)
    page.set_viewport_size({"width": DESKTOP_WIDTH, "height": 900})
    page.evaluate("scrollTo(0, 0)")

    links = page.locator("#orders-list .row-link")
    shown = links.all_inner_texts()
    links.nth(3).focus()
    distributor.report_stuck_order("SO-NEW-AT-TOP", hours=1)
    expect(page.locator("#orders-list-new [data-count]")).not_to_have_text(
        "0", timeout=SOON_MILLISECONDS
    )
    assert links.all_inner_texts() == shown
    expect(links.nth(3)).to_be_focused()

    page.goto("/alerts?by=one")
    row = page.locator("#alerts-list tr").first
    row.locator("input[name=ids]").check()
    keys = ["i", "s", "d", "c"]
    assert max(page.evaluate(f"Promise.all(({RIGHT_OF_MENUS})({keys}))")) <= DESKTOP_WIDTH
    top = row.evaluate(TOP)
    state = row.locator(".cell-state").inner_text()
    page.keyboard.press("s")
    page.get_by_role("button", name="4 hours").click()
    expect(page.locator("#flashes")).to_contain_text("Snoozed 1 alert.")
    assert row.evaluate(TOP) == top
    page.locator("#flashes").get_by_role("button", name="Undo").click()
    expect(page.locator("#flashes")).to_contain_text("Restored 1 alert.")
    expect(row.locator(".cell-state")).to_have_text(state)
    assert row.evaluate(TOP) == top
