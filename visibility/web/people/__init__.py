"""Accounts of people: sign-in, links that set a password, second factors, sessions and teams."""
