"""The shelf of KPIs: one file a number."""
