"""Tells people and open pages: the outbox, its channels, the live doorbell."""
