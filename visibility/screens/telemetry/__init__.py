"""Calls, runs and queues: figures of a source, and what names an order."""
