"""Mappings of source values."""
