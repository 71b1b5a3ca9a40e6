"""Protocols of message brokers: one module for each."""
