"""The product's settings, with a Telegram whose silence is told after seconds instead of most of a minute."""

from gateway.telegram import contact
from tests.outside.settings import *  # noqa: F403

contact.PATIENCE_SECONDS = 4.0
