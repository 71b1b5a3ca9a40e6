"""The plain implementation: the baseline that the product is compared with.

It is a straightforward Django application. A DRF view checks the signature, stores a row and calls
`.delay()`. A Celery task per event looks up the order and writes its milestone and status. There
are no order lines, SLA clocks, KPIs or change feed.
"""
