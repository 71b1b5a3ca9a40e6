"""EDIFACT."""
