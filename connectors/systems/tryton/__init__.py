"""Tryton."""
