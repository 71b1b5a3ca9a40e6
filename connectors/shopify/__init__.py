"""Shopify's objects as canonical events; the connector beside knows topics and signatures."""
