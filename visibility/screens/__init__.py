"""Read-only queries and texts of the screens: lists, details, charts and labels."""
