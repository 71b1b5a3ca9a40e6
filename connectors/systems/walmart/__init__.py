"""Walmart Marketplace."""
