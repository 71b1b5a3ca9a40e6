"""Four people and what they came for, in a real browser on the whole running product."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.plugin import DjangoDbBlocker

from tests.journeys.browser import DESK, Watch, chromium
from tests.journeys.distributor import TORN, Distributor, running
from tests.journeys.looks import PAGES, REFUSED, faults

pytestmark = pytest.mark.django_db
Enter = Callable[[str], Page]
# Worker and scheduler look every two seconds; a busy machine takes its time.
SOON = 30_000


@pytest.fixture(scope="module")
def distributor(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Distributor]:
    """The simulated distributor; its database is empty again afterwards."""
    with django_db_blocker.unblock(), running(tmp_path_factory.mktemp("demo")) as found:
        yield found


@pytest.fixture(scope="module")
def browser(distributor: Distributor) -> Iterator[Browser]:
    """One browser; every person has a context of their own in it."""
    with chromium() as found:
        yield found


@pytest.fixture
def enter(browser: Browser, distributor: Distributor) -> Iterator[Enter]:
    """Sign in with one click, in a browser of one's own; at the end nothing was complained of."""
    watch = Watch(distributor.product.url.removeprefix("http://"))
    with ExitStack() as contexts:

        def open_as(who: str) -> Page:
            context = browser.new_context(
                base_url=distributor.product.url,
                viewport={"width": DESK, "height": 900},
                reduced_motion="reduce",
            )
            contexts.callback(context.close)
            page = context.new_page()
            watch.over(page)
            sign_in(page, who)
            return page

        yield open_as
        assert watch.said == []


def sign_in(page: Page, who: str) -> None:
    """One click on the sign-in page."""
    page.goto("/signin")
    page.click(f"button[value={who}]")
    expect(page.locator("nav.rail")).to_be_visible()
    page.wait_for_load_state("load")


@pytest.mark.parametrize("kind", ["po", "tracking", "invoice"])
def test_the_clerk_finds_an_order_by_any_of_its_numbers_and_reads_the_answer(
    kind: str, enter: Enter, distributor: Distributor
) -> None:
    page = enter("clerk")
    page.keyboard.press("/")
    page.keyboard.type(getattr(distributor.known, kind))
    first = page.locator("#search-list [role=option]").first
    expect(first).to_contain_text(distributor.known.number)
    page.keyboard.press("ArrowDown")
    expect(first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/orders/{distributor.known.order}")
    assert page.inner_text("h1") == distributor.known.number
    answer = page.inner_text("#answer")
    assert answer.startswith(("Delivered", "Shipped", "Invoiced", "Completed"))
    assert answer.endswith(".")


def test_a_stuck_order_reaches_open_pages_and_so_does_who_takes_care_of_it(
    enter: Enter, distributor: Distributor
) -> None:
    alerts = enter("operations")
    alerts.goto("/alerts?view=open&sort=new")
    board = alerts.context.new_page()
    board.goto("/boards/operations")
    expect(board.locator(".top-alerts")).not_to_contain_text("SO-STUCK")
    for page in (alerts, board):
        page.evaluate("window.sameDocument = true")
    distributor.stuck("SO-STUCK", hours=5)
    expect(alerts.locator("#alerts-new")).to_contain_text("1 new, show", timeout=SOON)
    expect(board.locator(".top-alerts")).to_contain_text("SO-STUCK", timeout=SOON)
    for page in (alerts, board):
        assert page.evaluate("window.sameDocument") is True

    alerts.click("#alerts-new a")
    row = alerts.locator("tr[data-id]", has_text="SO-STUCK")
    second = enter("admin")
    second.goto("/alerts?view=open&sort=new")
    seen = second.locator("tr[data-id]", has_text="SO-STUCK").locator(".cell-state")
    expect(seen).to_have_text("Open")
    second.evaluate("window.sameDocument = true")
    acknowledge = alerts.locator("button[value=acknowledge]")
    expect(acknowledge).to_be_disabled()
    row.locator(".row-link").focus()
    expect(acknowledge).to_be_enabled()
    alerts.keyboard.press("a")
    expect(row.locator(".cell-state")).to_contain_text("Acknowledged")
    expect(seen).to_contain_text("Acknowledged", timeout=SOON)
    assert second.evaluate("window.sameDocument") is True


def test_the_executive_drills_from_the_fill_rate_to_the_very_orders_behind_it(enter: Enter) -> None:
    page = enter("executive")
    page.wait_for_url("**/numbers")
    said = page.locator(".number-tile", has_text="Line fill rate").locator(".number-of a")
    stated = int(said.inner_text().split(",")[1].removesuffix(" orders"))
    assert stated > 10
    said.click()
    listed: list[str] = []
    for part in ("Missed", "In full"):
        page.locator(".tabs a", has_text=part).click()
        of_part = int(page.inner_text(".tabs [aria-current] .part-count"))
        found = [*_pages_of_orders(page)]
        assert len(found) == of_part
        listed += found
    assert len(listed) == len(set(listed)) == stated
    page.locator(".behind th a").first.click()
    assert page.inner_text("h1") in listed
    expect(page.locator("#answer")).not_to_be_empty()


def _pages_of_orders(page: Page) -> Iterator[str]:
    while True:
        yield from page.locator(".behind th a").all_inner_texts()
        following = page.get_by_role("link", name="Next page")
        if not following.count():
            return
        following.click()


def test_the_integrator_sees_a_parked_message_and_why_and_its_raw_body(
    enter: Enter, distributor: Distributor
) -> None:
    page = enter("integrator")
    page.wait_for_url("**/sources")
    group = page.locator(".parked-group", has_text="Order desk")
    expect(group).to_contain_text("The message is not well formed")
    group.get_by_text("see the newest").click()
    page.wait_for_url(f"**/messages/{distributor.known.parked}")
    expect(page.locator(".answer")).to_contain_text("Parked")
    expect(page.locator(".answer")).to_contain_text("not well formed")
    expect(page.locator(".message-problem")).to_contain_text("ask the sender to send it again")
    assert page.locator("pre.raw").count() == 0
    page.get_by_text("Show the content").click()
    assert page.inner_text("pre.raw") == TORN.decode()


@pytest.mark.parametrize("who", PAGES)
def test_every_page_fits_reads_well_and_loads_nothing_from_elsewhere(
    who: str, browser: Browser, distributor: Distributor
) -> None:
    watch = Watch(distributor.product.url.removeprefix("http://"))
    context = browser.new_context(base_url=distributor.product.url, reduced_motion="reduce")
    page = context.new_page()
    watch.over(page)
    wrong = faults(page, "/signin") if who == "clerk" else []
    sign_in(page, who)
    for path in PAGES[who]:
        wrong += faults(page, path.format(**vars(distributor.known)))
    context.close()
    assert wrong == []
    assert sorted(set(watch.said)) == REFUSED.get(who, [])
