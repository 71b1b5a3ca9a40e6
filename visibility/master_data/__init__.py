"""Master data on its way in: rows written, files taken, what they change read again."""
