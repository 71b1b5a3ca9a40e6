"""The names and the email address of an account, as administrators enter them."""

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from connectors.sdk.settings import SettingError
from visibility.web.people.person_values import PersonValues


def set_texts(user: User, values: PersonValues) -> list[SettingError]:
    """Set username, names and address on an account; return what is wrong with them."""
    errors = []
    if user.pk is None:
        errors += _username_errors(user.username)
    for name, title in (("first_name", "first name"), ("last_name", "last name")):
        text = getattr(values, name)
        if text is not None:
            setattr(user, name, text.strip())
        if not getattr(user, name) and (user.pk is None or text is not None):
            errors.append(SettingError(name, f"Enter the {title}."))
        elif len(getattr(user, name)) > 150 or not getattr(user, name).isprintable():
            errors.append(SettingError(name, f"Enter a {title} of at most 150 characters."))
    if values.email is not None:
        user.email = values.email.strip()
        try:
            if user.email:
                validate_email(user.email)
        except ValidationError:
            errors.append(SettingError("email", "Enter an email address, such as ada@example.com."))
    return errors


def _username_errors(username: str) -> list[SettingError]:
    try:
        User._meta.get_field("username").clean(username, None)
    except ValidationError:
        sentence = "Enter 1 to 150 letters, digits and @ . + - _, such as ada.lovelace."
        return [SettingError("username", sentence)]
    if User.objects.filter(username__iexact=username).exists():
        return [username_taken(username)]
    return []


def username_taken(username: str) -> SettingError:
    """The error of a username that another account has."""
    return SettingError(
        "username", f"There is an account with the username {username[:80]} already."
    )
