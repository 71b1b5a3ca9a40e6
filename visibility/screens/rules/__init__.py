"""The SLA rules: list, detail and labels."""
