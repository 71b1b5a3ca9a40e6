"""A person discards parked messages, undoes it, and processes an edited copy, in the browser."""

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.journeys.browser import accessibility_violations, chromium, horizontal_overflow
from tests.browser.journeys.page_checks import AXE_VIEWS
from tests.builders.cloudevents import HEADERS
from tests.builders.sources import create_source, message
from tests.builders.users import signed_in
from visibility.models import EditedMessage, InboundMessage, MessageDiscard
from visibility.models.sources_and_messages import load_message_body
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db(transaction=True)


def test_parked_messages_are_discarded_and_edited(live_server: LiveServer) -> None:
    source = create_source()
    torn = [
        message(
            source,
            state="parked",
            reason="syntax",
            detail="unexpected end",
            body=b'{"id": 1,\n "no": ',
            headers=dict(HEADERS),
        )
        for _ in range(3)
    ]
    session = signed_in(UserRole.INTEGRATOR, "ines").cookies["sessionid"].value
    with chromium() as browser:
        context = browser.new_context(reduced_motion="reduce")
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.goto(f"{live_server.url}/sources")
        page.get_by_role("link", name="Discard… 3 messages").click()
        page.get_by_label("Reason (required)").fill("A test of the sender")
        page.get_by_role("button", name="Discard 3 messages").click()
        expect(page.get_by_role("heading", name="Discard of 3 messages")).to_be_visible()
        discarded = MessageDiscard.objects.get()
        page.get_by_role("button", name="Undo: park 3 messages as before").click()
        expect(
            page.get_by_role("status").get_by_text("Parked as before: 3 messages.")
        ).to_be_visible()
        page.goto(f"{live_server.url}/messages/{torn[0]}")
        page.get_by_role("link", name="Edit a copy…").click()
        page.get_by_label("Payload").fill('{"id": 1,\n "no": 2}')
        page.get_by_role("button", name="Try without storing").click()
        expect(page.get_by_text("Would be parked")).to_be_visible()
        page.get_by_label("Reason (required)").fill("The end was missing")
        page.get_by_role("button", name="Store the copy and process it").click()
        expect(page.get_by_text("Edited copy of message", exact=False).first).to_be_visible()
        copy = EditedMessage.objects.get().message_id
        assert load_message_body(copy) == b'{"id": 1,\n "no": 2}'
        problems: list[str] = []
        paths = ("messages/discard?source=wms", f"messages/discards/{discarded.pk}")
        for path in (*paths, f"messages/{torn[0]}/edit", f"messages/{copy}", f"messages/{torn[0]}"):
            for width, theme in AXE_VIEWS:
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=theme)
                page.goto(f"{live_server.url}/{path}")
                shown = [*horizontal_overflow(page), *accessibility_violations(page)]
                problems += [f"{path} {width} {theme}: {problem}" for problem in shown]
    assert problems == []
    assert set(InboundMessage.objects.filter(pk__in=torn).values_list("state", flat=True)) == {
        "parked"
    }
