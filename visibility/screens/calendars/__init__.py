"""Screens of calendars."""
