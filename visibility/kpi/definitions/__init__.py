"""KPI definitions, one module for each."""
