"""What each permission allows, and the titles of the roles, as people read them."""

from visibility.web.permissions import Permission, UserRole

PERMISSION_LABELS = {
    Permission.ORDERS: "Search and open orders",
    Permission.ORDERS_NOTE: "Read and write notes on orders",
    Permission.ORDERS_SHARE: "Create and revoke tracking links",
    Permission.CONTACTS: "See names and contacts of customers",
    Permission.PRICES: "See prices and amounts",
    Permission.BOARDS: "See boards",
    Permission.BOARDS_EDIT: "Change boards and screen links",
    Permission.KPIS: "See KPIs",
    Permission.KPIS_NOTE: "Write notes on KPI charts",
    Permission.ALERTS_SEE: "See alerts",
    Permission.ALERTS_NOTE: "Write notes on alerts",
    Permission.ALERTS_MANAGE: "Acknowledge, assign and snooze alerts",
    Permission.ALERTS_RESOLVE: "Resolve alerts",
    Permission.EXPORT: "Download exports",
    Permission.MESSAGE_BODIES: "Read the bodies of messages",
    Permission.SOURCES_SEE: "See sources and messages",
    Permission.SOURCES_EDIT: "Connect and change sources",
    Permission.PARKED_SEE: "See parked messages",
    Permission.PARKED_REPLAY: "Replay parked messages",
    Permission.MATCHING_SEE: "See matching decisions and suggestions",
    Permission.MATCHING_EDIT: "Merge and split orders",
    Permission.MAPPINGS_SEE: "See mappings",
    Permission.MAPPINGS_EDIT: "Change mappings",
    Permission.RULES_SEE: "See SLA rules",
    Permission.RULES_EDIT: "Change SLA rules",
    Permission.SUBSCRIPTIONS_SEE: "See subscriptions",
    Permission.SUBSCRIPTIONS_EDIT: "Change and test subscriptions",
    Permission.ADMINISTER: "Administer people, retention and settings",
}
ROLE_TITLES = {
    UserRole.CUSTOMER_SERVICE: "Customer service",
    UserRole.EXECUTIVE: "Executive",
    UserRole.OPERATIONS: "Operations",
    UserRole.INTEGRATOR: "Integrator",
    UserRole.ADMIN: "Administrator",
}
