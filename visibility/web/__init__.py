"""HTTP: pages, REST API, webhook intake, sockets and permissions."""
