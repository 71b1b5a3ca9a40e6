"""Tools for operators: metrics, problem checks, invariants and the canonical dump."""
