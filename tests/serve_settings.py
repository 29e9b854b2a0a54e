"""A user's settings module that brings a map of its own: two lines instead of one of the product's."""

from tests.settings import *  # noqa: F403

ASGI_APPLICATION = "tests.serve_map.application"
