"""The reader of each transaction set, by its number (ST01)."""

from collections.abc import Callable, Mapping

from connectors.sdk.events import CanonicalEvent
from connectors.systems.x12.adjustments import read_adjustment
from connectors.systems.x12.application_advices import read_application_advice
from connectors.systems.x12.carrier_statuses import read_carrier_status
from connectors.systems.x12.document import X12Document
from connectors.systems.x12.inventory import read_inventory_adjustment, read_inventory_advice
from connectors.systems.x12.invoices import read_invoice
from connectors.systems.x12.load_tenders import (
    read_freight_invoice,
    read_load_tender,
    read_tender_answer,
)
from connectors.systems.x12.order_acknowledgments import (
    read_change_acknowledgment,
    read_order_acknowledgment,
)
from connectors.systems.x12.order_statuses import read_order_status
from connectors.systems.x12.orders import read_order_change, read_purchase_order
from connectors.systems.x12.remittances import read_remittance
from connectors.systems.x12.return_authorizations import read_return_authorization
from connectors.systems.x12.ship_notices import read_ship_notice
from connectors.systems.x12.stock_transfers import read_stock_receipt, read_stock_transfer
from connectors.systems.x12.warehouse import read_shipping_advice, read_shipping_order

READERS: Mapping[str, Callable[[X12Document], list[CanonicalEvent]]] = {
    "180": read_return_authorization,
    "204": read_load_tender,
    "210": read_freight_invoice,
    "214": read_carrier_status,
    "810": read_invoice,
    "812": read_adjustment,
    "820": read_remittance,
    "824": read_application_advice,
    "846": read_inventory_advice,
    "850": read_purchase_order,
    "855": read_order_acknowledgment,
    "856": read_ship_notice,
    "860": read_order_change,
    "865": read_change_acknowledgment,
    "870": read_order_status,
    "940": read_shipping_order,
    "943": read_stock_transfer,
    "944": read_stock_receipt,
    "945": read_shipping_advice,
    "947": read_inventory_adjustment,
    "990": read_tender_answer,
}
