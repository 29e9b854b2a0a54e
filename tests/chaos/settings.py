"""The product's settings with a map of tests/chaos/maps.py, named in TEST_MAP."""

import os

from config.settings import *  # noqa: F403

ASGI_APPLICATION = f"tests.chaos.maps.{os.environ['TEST_MAP']}"
