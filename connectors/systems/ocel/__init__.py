"""OCEL 2.0 event logs."""
