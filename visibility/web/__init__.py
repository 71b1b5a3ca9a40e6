"""Requests, HTML, sockets, people."""
