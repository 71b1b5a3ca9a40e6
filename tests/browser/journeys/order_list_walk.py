"""A clerk with a keyboard only: walks the order list, sorts and filters it, and uses the search."""

import re

from playwright.sync_api import Page, expect

from tests.browser.journeys.browser import DESKTOP_WIDTH, PHONE_WIDTH


def walk_order_list_by_keyboard(page: Page) -> None:
    """Move, preview, open, return, go on to the next order, sort and filter."""
    page.goto("/orders?open=1")
    links = page.locator("#orders-list .row-link")
    numbers = links.all_inner_texts()
    for _ in range(2):
        page.keyboard.press("j")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("Space")
    preview = page.locator("#preview")
    expect(preview.get_by_role("heading", level=2)).to_have_text(numbers[1])
    expect(links.nth(1)).to_be_focused()  # beside the list, the preview leaves the focus there
    page.keyboard.press("j")
    expect(preview.get_by_role("heading", level=2)).to_have_text(numbers[2])
    page.keyboard.press("Escape")
    expect(preview).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(numbers[2])
    page.go_back()
    expect(links.nth(2)).to_be_focused()

    header = page.locator("thead th[data-column=number] a")
    header.focus()
    page.keyboard.press("Enter")
    expect(page.locator("thead th[data-column=number]")).to_have_attribute("aria-sort", "ascending")
    assert page.url.endswith("?open=1&sort=number")
    page.keyboard.press("f")
    expect(page.locator("#orders-filters select[name=status]")).to_be_focused()
    page.locator("#orders-filters select[name=channel]").select_option(index=1)
    page.keyboard.press("Escape")
    expect(page.locator("#orders-filters summary")).to_be_focused()
    page.keyboard.press("f")
    page.locator("#orders-filters input[name=item]").press("Enter")
    expect(page.locator(".list-bar .chip-key")).to_have_text("Channel")
    assert re.search(r"channel=\w+", page.url)
    assert "item=" not in page.url


def preview_lies_over_the_list_on_a_narrow_screen(page: Page) -> None:
    """It takes the focus, and gives it back to the row that it shows."""
    page.set_viewport_size({"width": 1100, "height": 900})
    page.goto("/orders?open=1")
    links = page.locator("#orders-list .row-link")
    links.first.focus()
    page.keyboard.press("Space")
    expect(page.locator("#preview")).to_be_focused()
    page.keyboard.press("j")
    second = links.nth(1).inner_text()
    expect(page.locator("#preview h2")).to_have_text(second)
    expect(page.locator("#preview")).to_be_focused()
    page.keyboard.press("Escape")
    expect(links.nth(1)).to_be_focused()
    page.set_viewport_size({"width": PHONE_WIDTH, "height": 844})
    card = page.locator("#orders-list tr").nth(1)
    card.locator("[data-column=customer]").click()
    expect(page.locator("h1")).to_have_text(re.compile(r".+"))
    assert re.search(r"/orders/\d+$", page.url)
    page.set_viewport_size({"width": DESKTOP_WIDTH, "height": 900})


def palette_offers_recent_pages_and_actions(page: Page, order: int, number: str) -> None:
    """The search field lists what was opened, pages and actions, and Esc returns the focus."""
    page.goto(f"/orders/{order}")
    page.goto("/orders?open=1")
    page.locator("#orders-list .row-link").first.focus()
    page.keyboard.press("Control+k")
    options = page.locator("#search-list [role=option]")
    expect(options.first).to_contain_text(number)
    page.keyboard.press("Escape")
    expect(page.locator("#orders-list .row-link").first).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("theme")
    expect(options.first).to_contain_text("Theme: switch from system")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme-wanted", "light")
