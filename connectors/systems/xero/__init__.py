"""Xero."""
