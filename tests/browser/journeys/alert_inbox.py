"""Ways through the alert inbox: without a mouse, and on a phone."""

import re

from playwright.sync_api import Page, expect

from tests.browser.journeys.browser import EXTRA_WIDTH

# Sums the layout shifts that no key press or click caused.
WATCH_LAYOUT = """window.shift = 0; new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });"""
MAX_LAYOUT_SHIFT = 0.05


def acknowledge_a_group_by_keyboard(page: Page) -> None:
    """Open a group, look at it, acknowledge its alerts, and undo that."""
    page.goto("/alerts")
    page.evaluate(WATCH_LAYOUT)
    group = page.locator("#alerts-list tr[data-rows]").first
    key = group.get_attribute("data-id")
    number = int(group.get_attribute("data-alerts") or 0)
    assert number > 1
    for _ in range(page.locator("#alerts-list tr").count()):
        page.keyboard.press("j")
        if page.locator("#alerts-list tr.current").get_attribute("data-id") == key:
            break
    page.keyboard.press("ArrowRight")
    children = page.locator("#alerts-list tr.child[data-state]")
    expect(children.first).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(children.first).to_be_hidden()
    expect(group.locator(".row-link")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#preview")).to_contain_text(f"{number} alerts")
    page.keyboard.press("a")
    flashes = page.locator("#flashes")
    expect(flashes).to_contain_text(f"Acknowledged {number} alerts.")
    expect(group.locator(".cell-count")).to_have_text("0")
    page.keyboard.press("z")
    expect(flashes).to_contain_text(f"Restored {number} alerts.")
    expect(group.locator(".cell-count")).to_have_text(re.compile(rf"^\s*{number}\b"))
    assert page.evaluate("window.shift") < MAX_LAYOUT_SHIFT


def acknowledge_an_alert_on_a_phone(page: Page) -> None:
    """Select an alert, acknowledge it with the bar at the thumb, and undo that."""
    page.goto("/alerts?by=one")
    bar = page.locator("#alerts-actions")
    expect(bar).to_be_hidden()
    page.locator("#alerts-list input[name=ids]").first.check()
    button = bar.locator("button[value=acknowledge]")
    box = button.bounding_box()
    height = page.evaluate("innerHeight")
    assert box is not None
    assert height / 2 < box["y"] < height - box["height"]
    assert page.evaluate(EXTRA_WIDTH) == 0
    bar.locator("summary[data-key=s]").click()
    menu = bar.locator(".menu[open] .menu-body")
    expect(menu).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    button.click()
    flashes = page.locator("#flashes")
    expect(flashes).to_contain_text("Acknowledged 1 alert.")
    flashes.get_by_role("button", name="Undo").click()
    expect(flashes).to_contain_text("Restored 1 alert.")
