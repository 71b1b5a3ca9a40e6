"""SLA rules, one module each."""
