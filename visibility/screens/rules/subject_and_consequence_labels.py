"""Labels of what rules are about and what their breaches cost."""

from visibility.sla.rule import Consequence, RuleSubject

SUBJECT_LABELS = {
    RuleSubject.ORDER: "Orders",
    RuleSubject.SHIPMENT: "Shipments",
    RuleSubject.DOCUMENT: "Documents",
    RuleSubject.SOURCE: "Sources",
    RuleSubject.STOCK_POSITION: "Stock positions",
    RuleSubject.ORDER_PAIR: "Pairs of orders",
    RuleSubject.KPI: "KPIs",
    RuleSubject.ALERT: "Alerts",
    RuleSubject.RULE: "SLA rules",
    RuleSubject.SUBSCRIPTION: "Subscriptions",
}
CONSEQUENCE_LABELS = {
    Consequence.REVENUE_LEAKAGE: "Revenue leakage",
    Consequence.SERVICE_DELAY: "Customer service delay",
    Consequence.MANUAL_WORK: "Manual work",
    Consequence.INVENTORY_DISTORTION: "Inventory distortion",
}


def consequence_label(consequence: Consequence) -> str:
    """What a breach costs, as people read it."""
    return CONSEQUENCE_LABELS[consequence]
