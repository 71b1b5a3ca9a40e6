"""A small valid payload of each connector, for the example request after `source add`."""

from collections.abc import Mapping

EXAMPLE_PAYLOADS: Mapping[str, bytes] = {
    "shopify": b'{"id": 1001, "name": "#1001", "created_at": "2026-01-05T10:00:00Z", '
    b'"updated_at": "2026-01-05T10:00:00Z", "currency": "USD", "line_items": '
    b'[{"id": 1, "sku": "DEMO-1", "quantity": 2, "price": "9.90"}]}',
    "cloudevents": b'{"specversion": "1.0", "id": "1", "source": "/example", '
    b'"type": "order.received", "time": "2026-01-05T10:00:00Z", '
    b'"data": {"order": {"number": "SO-1"}}}',
    "standard_webhooks": b'{"type": "order.received", "timestamp": "2026-01-05T10:00:00Z", '
    b'"data": {"order": {"number": "SO-1"}}}',
    "shiphero": b'{"webhook_type": "Order Allocated", "order_number": "SO-1", "order_id": 1, '
    b'"allocated_at": "2026-01-05T10:00:00", "line_items": []}',
    "business_central": b'{"id": "b1", "number": "SO-1", "orderDate": "2026-01-05", '
    b'"status": "Open", "customerNumber": "C1", "lastModifiedDateTime": "2026-01-05T10:00:00Z", '
    b'"salesOrderLines": [{"sequence": 10000, "lineType": "Item", "lineObjectNumber": "DEMO-1", '
    b'"quantity": 5, "unitOfMeasureCode": "PCS", "unitPrice": 9.90}]}',
    "x12": b"ST*850*0001~BEG*00*SA*PO-1**20260105~PO1*1*5*EA*9.90**VN*DEMO-1~SE*4*0001~",
}
