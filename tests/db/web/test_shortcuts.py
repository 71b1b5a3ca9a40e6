"""The overlay of shortcuts lists a key exactly on the pages that have what it operates."""

import re
from urllib.parse import quote

import pytest
from django.test import Client

from tests.builders.alerts import alert
from tests.builders.sources import ERP_NUMBERS, create_source, store_story
from tests.builders.users import signed_in
from visibility.db.database_time import database_now
from visibility.models import Order
from visibility.pipeline import job_functions
from visibility.web.permissions import UserRole

pytestmark = pytest.mark.django_db
# What a key operates: the part of the page that its script looks for.
OPERATED = {
    "f": "data-filter",
    "r": "data-range",
    **{key: f'data-key="{key}"' for key in "acdeimsvwy"},
}


def listed_and_main(client: Client, address: str) -> tuple[set[str], str]:
    """The single keys of the overlay, and the page without its frame."""
    answer = client.get(address)
    assert answer.status_code == 200, address
    page = answer.content.decode()
    main, _, after = page.partition('<main id="main"')[2].partition("</main>")
    overlay = after.partition('id="keys"')[2].partition("</dialog>")[0]
    rows = re.findall(r"<dt>(.*?)</dt>", overlay)
    keys = {key for row in rows if "<kbd>g</kbd>" not in row for key in re.findall(r">(.)<", row)}
    return keys, main


@pytest.mark.parametrize("role", [UserRole.OPERATIONS, UserRole.EXECUTIVE])
def test_keys_are_listed_where_they_work(role: UserRole) -> None:
    source = create_source("desk", role="erp", config=dict(ERP_NUMBERS))
    number = {"order": {"number": "SO-1"}}
    store_story({"desk": source}, [("desk", "order.received", "2026-03-02T15:00:00Z", number)])
    job_functions.process_messages_and_refold()
    first = Order.objects.get()
    alerts = alert("SO-2", of=first)
    client, wrong = signed_in(role), []
    page = f"/orders/{first.pk}"
    for address in (
        *("/boards/operations", "/orders", "/alerts", "/alerts?by=one", f"/alerts/{alerts.pk}"),
        *(
            page,
            f"{page}?view=list",
            f"{page}?tab=lines",
            f"{page}?as_known_at={quote(database_now().isoformat())}",
        ),
        *("/numbers", "/numbers/fill_rate", "/numbers/fill_rate/orders", "/account"),
    ):
        listed, main = listed_and_main(client, address)
        if "as_known_at" in address:
            main = re.sub(r"<button[^>]* disabled[^>]*>", "", main)
        for key, markup in OPERATED.items():
            if (key in listed) != (markup in main):
                wrong.append(f"{address} {key}: listed {key in listed}, works {markup in main}")
    assert not wrong, "\n".join(wrong)


def test_v_switches_between_lanes_with_the_list_and_the_list_alone() -> None:
    source = create_source("desk", role="erp", config=dict(ERP_NUMBERS))
    number = {"order": {"number": "SO-1"}}
    store_story({"desk": source}, [("desk", "order.received", "2026-03-02T15:00:00Z", number)])
    job_functions.process_messages_and_refold()
    client, page = signed_in(UserRole.CUSTOMER_SERVICE), f"/orders/{Order.objects.get().pk}"
    switch = r'data-key="v" href="([^"]+)"'
    both = client.get(page).content.decode()
    assert 'id="order-lanes"' in both
    to_list = re.search(switch, both)
    assert to_list
    alone = client.get(page + to_list[1].replace("&amp;", "&")).content.decode()
    assert 'id="order-lanes"' not in alone
    assert 'id="order-activity"' in alone
    assert "?tab=lines&amp;view=list" in alone
    back = re.search(switch, alone)
    assert back
    assert 'id="order-lanes"' in client.get(page + back[1]).content.decode()


def test_p_is_listed_once_with_what_it_pauses() -> None:
    client = signed_in(UserRole.OPERATIONS)
    for address, paused in (("/boards/operations", "recent events"), ("/orders", "live updates")):
        overlay = client.get(address).content.decode().partition('id="keys"')[2]
        assert re.findall(r"<kbd>p</kbd></dt><dd>Pause or resume (.*?)</dd>", overlay) == [paused]
