"""KPI pages."""
