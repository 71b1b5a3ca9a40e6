"""Which passwords are refused, beside those that are short, common or only digits."""
