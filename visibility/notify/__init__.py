"""Notifies people and open pages: the outbox, its channels, the broadcast to live sockets."""
