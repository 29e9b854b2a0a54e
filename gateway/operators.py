"""Who may sit at the console: active staff users."""

import secrets
from itertools import count

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

# Without the letters and digits that are read as one another.
LETTERS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 16


class Unacceptable(Exception):
    """The name or the password cannot be used. The text says why, in plain words."""


def is_there_one() -> bool:
    return User.objects.filter(is_active=True, is_staff=True).exists()


def create_first() -> tuple[str, str]:
    """A superuser, named "operator" or, where that is somebody else, "operator2" and so on: name and password."""
    names = ("operator" if number == 1 else f"operator{number}" for number in count(1))
    name = next(name for name in names if not User.objects.filter(username=name).exists())
    password = new_password()
    User.objects.create_superuser(name, password=password)
    return name, password


@transaction.atomic
def promote_or_create(name: str, password: str | None) -> str | None:
    """Makes an operator of the user of that name, who need not exist. Returns the password, if it was made here.

    Somebody who has a password keeps it, unless one is given. Raises Unacceptable.
    """
    user = User.objects.filter(username=name).first() or User(username=name)
    made = None
    if password is None and not (user.pk and user.has_usable_password()):
        password = made = new_password()
    if password is not None:
        check(user, password)
        user.set_password(password)
    user.is_active = user.is_staff = True
    user.save()
    return made


def check(user: User, password: str) -> None:
    try:
        if user.pk is None:
            user.full_clean(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        raise Unacceptable(" ".join(error.messages)) from None


def new_password() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
