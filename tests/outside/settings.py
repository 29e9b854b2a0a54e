"""The product's settings with another application map: the name in TEST_MAP, of those in tests/maps.py."""

import os

from config.settings import *  # noqa: F403

ASGI_APPLICATION = f"tests.maps.{os.environ.get('TEST_MAP', 'chatty')}"
