"""Sign-in at an identity provider by SAML 2.0: its settings, requests, answers and persons."""
