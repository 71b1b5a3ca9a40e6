"""Cases of real use: orders and refunds of a web shop, and the scans of its carrier."""

from typing import Any

from tests.builders.case_messages import (
    CaseMessage,
    UseCase,
    shop,
    shop_fulfillment,
    shop_line,
    shop_order,
    shop_refund,
    warehouse_return,
)

CREATED, CHANGED = "2026-02-03T16:00:01Z", "2026-02-06T16:00:02Z"
SENT_AT, DELIVERED_AT, REFUNDED_AT = (
    "2026-02-04T15:00:00Z",
    "2026-02-05T15:00:00Z",
    "2026-02-06T15:00:00Z",
)
FULFILLED: dict[str, Any] = {"fulfillable_quantity": 0, "fulfillment_status": "fulfilled"}
TO_RELEASE = "release to the warehouse, from the ERP"


def created(order_id: int, *lines: dict[str, Any]) -> CaseMessage:
    """The webhook of a new order."""
    return shop("orders/create", shop_order(order_id, f"#{order_id}", lines, updated=CREATED))


def updated(order_id: int, *lines: dict[str, Any], at: str = CHANGED, **fields: Any) -> CaseMessage:
    """The webhook of a changed order, with all its lines, fulfillments and refunds."""
    document = shop_order(order_id, f"#{order_id}", lines, updated=at, **fields)
    return shop("orders/updated", document)


refund_of_a_line = shop_refund(87011, 8701, [(1, 3, "cancel")], at=REFUNDED_AT)
credit_of_a_line_before_shipment = UseCase(
    "one of three lines is cancelled and refunded before anything is sent",
    (
        created(8701, *(shop_line(n, f"LMP-{n}", 3) for n in (1, 2, 3))),
        shop("refunds/create", refund_of_a_line),
        updated(
            8701,
            shop_line(1, "LMP-1", 3, current_quantity=0, fulfillable_quantity=0),
            shop_line(2, "LMP-2", 3),
            shop_line(3, "LMP-3", 3),
            financial_status="partially_refunded",
            refunds=[refund_of_a_line],
        ),
    ),
    {
        "#8701": {
            "answer": "Accepted Tue, Feb 3; 3 cancelled",
            "next_step": TO_RELEASE,
            "states": [],
            "lines": {
                "LMP-1": "cancelled: 3 ordered, 3 cancelled",
                "LMP-2": "ordered: 3 ordered",
                "LMP-3": "ordered: 3 ordered",
            },
        }
    },
)


def partially_sent(order_id: int) -> CaseMessage:
    """The webhook of an order of 9, of which 4 were sent, and 5 cancelled and refunded."""
    line = shop_line(1, "LMP-1", 9, current_quantity=4, fulfillable_quantity=0)
    sent = shop_fulfillment(order_id * 10 + 1, order_id, [shop_line(1, "LMP-1", 4)], at=SENT_AT)
    return updated(
        order_id,
        line,
        fulfillment_status="partial",
        financial_status="partially_refunded",
        fulfillments=[sent],
        refunds=[shop_refund(order_id * 10 + 2, order_id, [(1, 5, "cancel")], at=REFUNDED_AT)],
    )


credit_of_the_balance = UseCase(
    "the balance is cancelled and refunded",
    (partially_sent(8702),),
    {
        "#8702": {
            "answer": "Shipped: 1 of 1 line shipped on Wed, Feb 4; 5 cancelled",
            "states": ["shipped"],
            "lines": {"LMP-1": "shipped: 9 ordered, 4 shipped, 5 cancelled"},
        }
    },
)
return_after_credit_of_the_balance = UseCase(
    "the balance is cancelled and refunded, and what was sent comes back",
    (partially_sent(8703), warehouse_return(87039, "8703", {"LMP-1": 4}, at="2026-02-09T10:00:00")),
    {
        "#8703": {
            "states": ["shipped", "returned"],
            "next_step": "credit for the returned goods, from finance",
            "lines": {"LMP-1": "returned: 9 ordered, 4 shipped, 4 returned, 5 cancelled"},
        }
    },
)
even_exchange = UseCase(
    "a delivered line is exchanged for another",
    (
        created(8704, shop_line(1, "BOOT-41", 1)),
        updated(
            8704,
            shop_line(1, "BOOT-41", 1, current_quantity=0, **FULFILLED),
            shop_line(2, "BOOT-42", 1),
            fulfillment_status="partial",
            fulfillments=[
                shop_fulfillment(
                    87041,
                    8704,
                    [shop_line(1, "BOOT-41", 1)],
                    at=SENT_AT,
                    shipment_status="delivered",
                    updated_at=DELIVERED_AT,
                )
            ],
        ),
    ),
    {
        "#8704": {
            "status": "partially_delivered",
            "states": ["partially_shipped", "partially_delivered", "returned"],
            "next_step": "the warehouse ships the open quantity",
            "lines": {
                "BOOT-41": "returned: 1 ordered, 1 shipped, 1 delivered, 1 returned",
                "BOOT-42": "ordered: 1 ordered",
            },
        }
    },
)
tip = UseCase(
    "an order has a tip",
    (
        updated(
            8705,
            shop_line(1, "LMP-1", 2, **FULFILLED),
            shop_line(
                2, "", 1, title="Tip", requires_shipping=False, fulfillable_quantity=0, tip={}
            ),
            fulfillment_status="fulfilled",
            fulfillments=[
                shop_fulfillment(
                    87051,
                    8705,
                    [shop_line(1, "LMP-1", 2)],
                    at=SENT_AT,
                    shipment_status="delivered",
                    updated_at=DELIVERED_AT,
                )
            ],
        ),
    ),
    {
        "#8705": {
            "answer": "Delivered Thu, Feb 5",
            "next_step": "invoice, from finance",
            "delivered_at": "2026-02-05T15:00",
            "flags": {"": ["not_goods"]},
            "lines_shipped": "1 of 1",
        }
    },
)
gift_card = UseCase(
    "an order has a gift card",
    (
        updated(
            8706,
            shop_line(1, "LMP-1", 2, **FULFILLED),
            shop_line(
                2, "CARD", 1, requires_shipping=False, gift_card=True, fulfillable_quantity=0
            ),
            fulfillment_status="fulfilled",
            fulfillments=[shop_fulfillment(87061, 8706, [shop_line(1, "LMP-1", 2)], at=SENT_AT)],
        ),
    ),
    {
        "#8706": {
            "answer": "Shipped: 1 of 1 line shipped on Wed, Feb 4",
            "next_step": "first scan by UPS",
            "states": ["shipped"],
            "flags": {"CARD": ["not_goods"]},
        }
    },
)
first_half, second_half = (
    shop_fulfillment(number, 8707, [shop_line(1, "LMP-1", quantity)], at=at)
    for number, quantity, at in ((87071, 7, SENT_AT), (87072, 2, "2026-02-07T15:00:00Z"))
)
refund_without_restock = shop_refund(87073, 8707, [(1, 3, "no_restock")], at=REFUNDED_AT)
units_refunded_without_restock = UseCase(
    "units that were not sent are refunded without restock",
    (
        created(8707, shop_line(1, "LMP-1", 12)),
        updated(
            8707,
            shop_line(1, "LMP-1", 12, fulfillable_quantity=5, fulfillment_status="partial"),
            at="2026-02-04T15:00:02Z",
            fulfillment_status="partial",
            fulfillments=[first_half],
        ),
        shop("refunds/create", refund_without_restock),
        updated(
            8707,
            shop_line(
                1,
                "LMP-1",
                12,
                current_quantity=9,
                fulfillable_quantity=2,
                fulfillment_status="partial",
            ),
            fulfillment_status="partial",
            financial_status="partially_refunded",
            fulfillments=[first_half],
            refunds=[refund_without_restock],
        ),
        updated(
            8707,
            shop_line(1, "LMP-1", 12, current_quantity=9, **FULFILLED),
            at="2026-02-07T15:00:02Z",
            fulfillment_status="fulfilled",
            financial_status="partially_refunded",
            fulfillments=[first_half, second_half],
            refunds=[refund_without_restock],
        ),
    ),
    {
        "#8707": {
            "answer": "Shipped: 1 of 1 line shipped on Sat, Feb 7; 3 cancelled",
            "next_step": "first scan by UPS",
            "states": ["shipped"],
            "lines": {"LMP-1": "shipped: 12 ordered, 9 shipped, 3 cancelled"},
        }
    },
)
refund_of_an_amount = UseCase(
    "an amount is refunded without lines",
    (
        updated(
            8708,
            shop_line(1, "LMP-1", 2),
            refunds=[
                shop_refund(
                    87081,
                    8708,
                    [],
                    at=REFUNDED_AT,
                    transactions=[
                        {
                            "id": 870811,
                            "kind": "refund",
                            "status": "success",
                            "amount": "6.25",
                            "currency": "USD",
                        }
                    ],
                    order_adjustments=[
                        {"id": 870812, "kind": "shipping_refund", "amount": "-6.25"}
                    ],
                )
            ],
        ),
    ),
    {"#8708": {"credits": ["6.25 USD"], "lines": {"LMP-1": "ordered: 2 ordered"}}},
)
