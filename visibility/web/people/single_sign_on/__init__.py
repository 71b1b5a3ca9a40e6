"""Sign-in at an identity provider by OpenID Connect: its settings, tokens, and who is signed in."""
