"""Charts of a KPI page in a browser: zoom by dragging, going back, and space that is reserved."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import EXTRA_WIDTH, accessibility_violations, chromium
from tests.builders.kpi_facts import create_fact, recompute_cells
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.formatting import in_zone
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)
BOXES = """() => [...document.querySelectorAll(".chart, .breakdown, .kpi-tile")].map((e) => {
    const box = e.getBoundingClientRect();
    return [box.x, box.y + scrollY, box.width, box.height].map(Math.round);
})"""


@pytest.fixture
def context(live_server: LiveServer) -> Iterator[BrowserContext]:
    today = in_zone(database_now(), settings.TIME_ZONE).date()
    for days in range(56):
        create_fact(90 + days % 5, 100, day=today - timedelta(days=days))
    recompute_cells()
    session = signed_in(UserRole.OPERATIONS).cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(reduced_motion="reduce")
        context.set_default_timeout(15_000)
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        yield context


def drag_across_the_middle(page: Page) -> None:
    """Drag from a quarter to three quarters of the first chart."""
    area = page.locator("#chart-fill_rate-by-period .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=4)
    page.mouse.move(box["x"] + box["width"] * 0.75, y, steps=4)
    page.mouse.up()


def test_dragging_across_a_chart_selects_its_weeks_and_back_undoes_it(
    live_server: LiveServer, context: BrowserContext
) -> None:
    page = context.new_page()
    start = f"{live_server.url}/numbers/fill_rate?from=now-56d&channel=Web"
    page.goto(start)
    page.wait_for_selector("[data-chart] .main-svg")
    rows = page.locator("#chart-fill_rate-by-period tbody th a")
    addresses = [rows.nth(n).get_attribute("href") or "" for n in range(rows.count())]
    drag_across_the_middle(page)
    page.wait_for_url("**from=20*to=20*")
    assert "channel=Web" in page.url
    first, last = (page.url.split(f"{name}=")[1][:10] for name in ("from", "to"))
    # The range starts with a week of the chart and ends with another one.
    assert next(n for n, a in enumerate(addresses) if f"from={first}" in a) > 0
    assert next(n for n, a in enumerate(addresses) if f"to={last}" in a) < len(addresses) - 1
    expect(page.locator("#chart-fill_rate-by-period .main-svg").first).to_be_attached()
    page.go_back()
    expect(page).to_have_url(start)
    page.wait_for_selector("[data-chart] .main-svg")
    page.get_by_role("link", name="Zoom in").click()
    page.wait_for_url("**from=20*")


def test_nothing_moves_when_charts_are_drawn(
    live_server: LiveServer, context: BrowserContext
) -> None:
    page = context.new_page()
    # A font that comes late is used on the next page: it must be here before boxes are compared.
    page.goto(f"{live_server.url}/numbers")
    page.evaluate("document.fonts.load('1rem Inter').then(() => document.fonts.ready)")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.route("**/plotly-cartesian.min.js", lambda route: route.abort())
        page.goto(f"{live_server.url}/numbers/fill_rate")
        before = page.evaluate(BOXES)
        page.unroute("**/plotly-cartesian.min.js")
        page.goto(f"{live_server.url}/numbers/fill_rate")
        page.wait_for_selector("[data-chart] .main-svg")
        assert page.evaluate(BOXES) == before


# The number of lines of text beside a value.
LINES_BESIDE_VALUES = """() => [...document.querySelectorAll(".kpi-beside")]
    .filter((each) => each.textContent.includes("P90")).map((each) => {
        const lineHeight = parseFloat(getComputedStyle(each).lineHeight);
        const { paddingTop, paddingBottom } = getComputedStyle(each);
        const height = each.getBoundingClientRect().height;
        return (height - parseFloat(paddingTop) - parseFloat(paddingBottom)) / lineHeight;
    })"""


@pytest.mark.parametrize("width", [1440, 390])
def test_p90_stays_on_one_line_with_what_the_value_is(
    live_server: LiveServer, context: BrowserContext, width: int
) -> None:
    today = in_zone(database_now(), settings.TIME_ZONE).date()
    for kpi in ("order_cycle_time", "event_delay"):
        for days, hours in ((1, 125), (2, 588), (3, 590)):
            create_fact(hours * 3_600 + 1_500, 1, day=today - timedelta(days=days), kpi=kpi)
    recompute_cells()
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{live_server.url}/numbers")
    expect(page.locator(".kpi-beside", has_text="P90").first).to_be_visible()
    lines = page.evaluate(LINES_BESIDE_VALUES)
    assert [round(each) for each in lines] == [1, 1]
    terms = page.locator(".kpi-value .term")
    for term in terms.all():
        shown = "(term) => getComputedStyle(term, '::after').content"
        assert term.evaluate(shown) == "none"
        term.focus()
        assert "90th percentile" in term.evaluate(shown)
        expect(term).to_contain_text("90th percentile")  # for screen readers
        assert page.evaluate(EXTRA_WIDTH) == 0
    page.keyboard.press("Escape")
    assert terms.last.evaluate(shown) == "none"
    assert accessibility_violations(page) == []


@pytest.mark.parametrize("address", ["/numbers/fill_rate", "/numbers"])
def test_the_page_is_printed_on_one_sheet_with_its_chart(
    live_server: LiveServer, context: BrowserContext, address: str
) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme="dark")
    page.goto(f"{live_server.url}{address}")
    page.wait_for_selector("[data-chart] .main-svg")
    sheet = page.pdf(prefer_css_page_size=True)
    assert sheet.count(b"/Type /Page\n") == 1
    page.emulate_media(media="print")
    expect(page.locator(".kpi-printed").first).to_be_visible()
    expect(page.locator("#chart-fill_rate-by-period .main-svg").first).to_be_visible()
    for hidden in (".range-bar", ".rail", ".breakdowns", ".kpi-exports"):
        expect(page.locator(hidden).first).to_be_hidden()
    if address == "/numbers":
        expect(page.locator(".heat-cell").first).to_be_visible()
