"""Cases of real use: scans of the carrier of packages of a web shop."""

from tests.builders.case_messages import (
    UseCase,
    shop,
    shop_fulfillment,
    shop_line,
    shop_order,
    tracker,
)

TWO = shop_line(1, "LMP-1", 2)
CREATED, SENT_AT = "2026-02-03T16:00:01Z", "2026-02-04T15:00:00Z"
TO_CUSTOMER = (
    "2026-02-04T19:00:00Z in_transit Departed",
    "2026-02-05T13:00:00Z out_for_delivery On the vehicle",
    "2026-02-05T17:00:00Z failure Refused by the recipient",
    "2026-02-05T18:30:00Z return_to_sender Back to the sender",
)
TO_SENDER = (
    "2026-02-06T09:00:00Z in_transit Departed",
    "2026-02-09T14:00:00Z delivered Handed to the sender",
)
refused_and_returned = UseCase(
    "a refused package comes back, and the last scan is its delivery to the sender",
    (
        shop("orders/create", shop_order(8709, "#8709", [TWO], updated=CREATED)),
        shop(
            "fulfillments/create",
            shop_fulfillment(87091, 8709, [TWO], at=SENT_AT),
        ),
        tracker(
            87091,
            "evt_870911",
            status="return_to_sender",
            at="2026-02-05T18:35:00Z",
            scans=TO_CUSTOMER,
        ),
        tracker(
            87091,
            "evt_870912",
            status="return_to_sender",
            at="2026-02-09T14:05:00Z",
            scans=TO_CUSTOMER + TO_SENDER,
        ),
    ),
    {
        "#8709": {
            "status": "returned",
            "answer": "Returned Mon, Feb 9",
            "next_step": "a new shipment, or credit for the returned goods, from finance",
            "delivered_at": "",
            "lines": {"LMP-1": "returned: 2 ordered, 2 shipped, 2 returned"},
        }
    },
)
delivered_without_scans = UseCase(
    "a tracker is delivered and has no scans",
    (
        shop("orders/create", shop_order(8710, "#8710", [TWO], updated=CREATED)),
        shop(
            "fulfillments/create",
            shop_fulfillment(87101, 8710, [TWO], at=SENT_AT),
        ),
        tracker(87101, "evt_871011", status="delivered", at="2026-02-05T15:20:00Z", scans=()),
    ),
    {"#8710": {"status": "delivered", "delivered_at": "2026-02-05T15:20"}},
)
