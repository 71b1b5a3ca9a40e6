"""Declarative connectors: one YAML file with a closed set of operators, and no code."""
