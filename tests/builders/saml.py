"""A stored SAML provider, and the steps of a sign-in at it as a browser makes them."""

from typing import Any
from urllib.parse import urlsplit

from django.test import Client

from tests.builders.saml_identity_provider import LocalSamlProvider
from tests.builders.single_sign_on import address_on
from tests.builders.users import user_of_role
from visibility.db.database_time import database_now
from visibility.models import SamlProvider
from visibility.web.author import Author
from visibility.web.people.saml.change_saml_provider import change_saml_provider
from visibility.web.permissions import UserRole

START = "/signin/single-sign-on/saml"
ANSWER, FINISH, METADATA = f"{START}/response", f"{START}/finish", f"{START}/metadata"


def saml_values(server: LocalSamlProvider, **values: Any) -> dict[str, Any]:
    """What an administrator enters, as the API names it."""
    return {
        "name": "Acme",
        "metadata_xml": server.metadata(),
        "metadata_address": "",
        "email_attribute": "mail",
        "name_attribute": "cn",
        "groups_attribute": "groups",
        "trusts_email_addresses": True,
        "is_enabled": True,
        **values,
    }


def store_saml_provider(server: LocalSamlProvider, **values: Any) -> SamlProvider:
    """Enter the provider as the administrator `ida`."""
    by = Author(user_of_role(UserRole.ADMIN, "ida"), database_now())
    return change_saml_provider(saml_values(server, **values), version=None, by=by)


def leave(client: Client, server: LocalSamlProvider, next_url: str = "") -> dict[str, str]:
    """Click the button on the sign-in page; return the form with which the provider answers."""
    page = client.post(START, {"next": next_url})
    assert page.status_code == 200
    return server.visit(address_on(page))


def post_answer(form: dict[str, str]) -> Any:
    """Post the form as a browser does from another site: without cookies."""
    assert urlsplit(form["action"]).path == ANSWER
    fields = {name: text for name, text in form.items() if name != "action"}
    browser = Client(enforce_csrf_checks=True)
    answer = browser.post(ANSWER, fields, headers={"origin": "https://login.example.com"})
    assert not answer.cookies, "it would replace the cookies of the browser"
    return answer


def come_back(client: Client, form: dict[str, str]) -> Any:
    """Post the form of the provider, and follow the redirect with the cookies of the browser."""
    answer = post_answer(form)
    assert answer.status_code == 303, answer.content.decode()
    return client.get(answer["Location"])


def sign_in_at(client: Client, server: LocalSamlProvider, next_url: str = "") -> Any:
    """The answer of the last step."""
    return come_back(client, leave(client, server, next_url))
