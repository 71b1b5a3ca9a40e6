"""Boards and their tiles."""
