"""What all lists share: columns, sort orders, filters in words, and the rows for exports."""
