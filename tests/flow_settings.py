"""The product's settings with the map of tests/flow_map.py."""

from config.settings import *  # noqa: F403

ASGI_APPLICATION = "tests.flow_map.application"
