"""The KPI engine: definitions, facts, cells and queries."""
