"""`manage.py bench`: compare the product with a plain Django implementation and PostgreSQL."""
