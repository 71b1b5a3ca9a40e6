"""Fold orders and write their derived rows."""
