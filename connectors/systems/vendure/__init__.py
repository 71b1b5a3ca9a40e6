"""Vendure."""
