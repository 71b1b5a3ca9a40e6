"""Start and supervise every process of the product."""
