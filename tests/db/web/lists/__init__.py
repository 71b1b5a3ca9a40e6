"""Lists: sort orders, columns, saved views, counts and exports."""
