"""Files of the Bot API, chunk by chunk: what is no call goes through aiohttp.

aiohttp puts URLs, which hold the token, into its exceptions, so none of those may get out: ours are raised outside the
`except` that caught theirs, with words of our own.
"""

from collections.abc import AsyncIterator

import aiohttp

from gateway.errors import DeliveryError, Later, Refused, Unknown
from gateway.telegram.answers import NotTheApi
from gateway.telegram.lines import CONNECT_SECONDS

SILENCE_SECONDS = 30.0
LIMITS = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)


async def download(url: str, most: int) -> AsyncIterator[bytes]:
    """Raises Refused, Later or Unknown."""
    failure: DeliveryError | None = None
    try:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, timeout=LIMITS) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            async for chunk in _chunks(response, most):
                yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        failure = _explain(error)
    if failure is not None:
        raise failure


async def _chunks(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    if response.status != 200:
        raise Refused(f"The file cannot be fetched ({response.status}).")
    size = 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > most:
            raise Refused(f"The file is larger than {most} bytes.")
        yield chunk


def _explain(error: Exception) -> DeliveryError:
    if isinstance(error, aiohttp.InvalidURL):
        return NotTheApi("TELEGRAM_API_URL, or the bot's token in it, makes no valid address.")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Later("No connection to the Bot API: timed out.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Later(f"No connection to the Bot API ({error.os_error.strerror or 'of no address'}).")
    return Unknown("The line to the Bot API was cut under a file.")
