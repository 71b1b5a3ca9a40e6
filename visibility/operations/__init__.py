"""Checks and exports for whoever runs the product."""
