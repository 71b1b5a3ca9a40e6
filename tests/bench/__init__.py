"""`manage.py bench`: what the product reaches, measured beside the plain way and the raw limit."""
