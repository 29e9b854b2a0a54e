"""Fetches up to twenty pages at once and tells their titles, times and failures.

What it shows an author:
- a bot in coroutines: twenty downloads in one handler, and no thread waits for any of them;
- a message that carries a `ref` and is edited while the work goes on, at most once a second;
- httpx towards addresses that strangers name: bounded, and only to the public internet (`public_addresses.py`);
- what is said again after a crash is said by the same edits: there is one report, never two.
"""

import asyncio
import re
import time
from collections.abc import Sequence

from bots.fetching import Page, fetch, open_client, shorten
from gateway import AsyncBotConsumer, Message

MOST_PAGES = 20
EDIT_SECONDS = 1.0
LONGEST_URL = 60
HELP = f"Send me addresses of pages (http:// or https://), up to {MOST_PAGES} in one message."
# Neither white space nor what ends an address in running text; no half characters, which no wire takes.
ADDRESS = re.compile(r"https?://[^\s<>\"'`\x00-\x1f\x7f\ud800-\udfff]{1,2000}", re.IGNORECASE)


class PagesConsumer(AsyncBotConsumer):
    state_in_session = True

    async def received(self, message: Message) -> None:
        urls = find_urls(message["text"])
        if not urls:
            await self.reply(HELP)
            return
        # The same when the event is fed again after a crash, so that the report is edited into the same message.
        self.session["reports"] = self.session.get("reports", 0) + 1
        ref = f"report-{self.session['reports']}"
        chosen = urls[:MOST_PAGES]
        left_out = f" (the first {MOST_PAGES} of {len(urls)})" if len(urls) > MOST_PAGES else ""
        await self.reply(f"Fetching {count(len(chosen))}{left_out}…", ref=ref)
        await self.fetch_all(chosen, ref)

    async def fetch_all(self, urls: Sequence[str], ref: str) -> None:
        began = time.perf_counter()
        async with open_client() as client, asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch(client, url)) for url in urls]
            waiting = set(tasks)
            while waiting:
                done, waiting = await asyncio.wait(waiting, timeout=EDIT_SECONDS)
                pages = [task.result() for task in tasks if task.done()]
                if waiting and done:
                    await self.edit(ref, report(f"{len(pages)} of {count(len(urls))}…", pages))
        await self.edit(ref, report(summary(pages, time.perf_counter() - began), pages))


def find_urls(text: str) -> list[str]:
    """Each once, in order. Names and passwords in an address are nobody's business here: such a one is left out."""
    found = [without_ending(url) for url in ADDRESS.findall(text)]
    return list(dict.fromkeys(url for url in found if "@" not in url.split("/")[2]))


def without_ending(url: str) -> str:
    """What follows an address in running text is no part of it: (see http://example.com/)."""
    bare = url.rstrip(".,;:!?]}")
    return bare if "(" in bare else bare.rstrip(").,;:!?]}")


def summary(pages: Sequence[Page], seconds: float) -> str:
    failed = sum(bool(page.failure) for page in pages)
    return f"{count(len(pages))} in {seconds:.1f} s" + (f", {failed} failed" if failed else "")


def report(headline: str, pages: Sequence[Page]) -> str:
    return "\n".join([headline, "", *map(line, pages)])


def line(page: Page) -> str:
    url = shorten(page.url, LONGEST_URL)
    if page.failure:
        return f"✗ {url}: {page.failure}"
    return f"✓ {page.title or 'no title'} ({url}), {page.seconds:.2f} s"


def count(pages: int) -> str:
    return "1 page" if pages == 1 else f"{pages} pages"
