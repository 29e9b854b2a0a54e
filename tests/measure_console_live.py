"""How quick the console is in a browser with many open conversations: `python -m tests.measure_console_live 5000`.

A gateway of its own, on the empty database of DATABASE_URL if there is one. Measured: the page until it is live, and a
visitor's words until their row stands on top of the list, by the browser's clock.
"""

import os
import statistics
import sys
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, chromium
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAME = PASSWORD = "measured"
TIMES = 30
FILL = f"""
from tests.measure_console import fill
user = fill({{number}})
user.set_password("{PASSWORD}")
user.save()
"""
TALK = """async (times) => {
    const line = new WebSocket(`ws://${location.host}/ws/chat/`);
    const said = (type) => new Promise((done) => line.addEventListener("message", function hear({ data }) {
        if (JSON.parse(data).type === type) done(line.removeEventListener("message", hear));
    }));
    const list = document.getElementById("list");
    const shown = (text) => new Promise((done) => {
        const watch = new MutationObserver(() => {
            if (list.querySelector("li")?.textContent.includes(text)) done(watch.disconnect());
        });
        watch.observe(list, { childList: true, subtree: true });
    });
    await new Promise((done) => line.onopen = done);
    line.send(JSON.stringify({ type: "hello", token: null, since: 0, bot: "bot", language: "en" }));
    await said("welcome");
    const took = [];
    for (let n = 0; n < times; n++) {
        const seen = shown(`live ${n}`), began = performance.now();
        line.send(JSON.stringify({ type: "message", id: crypto.randomUUID(), text: `live ${n}` }));
        await seen;
        took.push(performance.now() - began);
        await new Promise((done) => setTimeout(done, 100));
    }
    return took;
}"""
SEEN = "document.getElementById('line')?.textContent === 'Live' && performance.now()"


def tell(what: str, took: list[float]) -> None:
    took.sort()
    middle, most = statistics.median(took), took[int(len(took) * 0.95)]
    print(f"{what}: {middle:.0f} ms in the middle of {len(took)}, 95 % within {most:.0f}")


def sign_in(page: "Page", url: str) -> None:
    page.goto(f"{url}/console/")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator("#list li").first.wait_for()


def load(page: "Page") -> float:
    """Milliseconds from the beginning of the page until it is live."""
    page.reload(wait_until="commit")
    while not (at := page.evaluate(SEEN)):
        page.wait_for_timeout(2)
    return float(at)


def main(number: int) -> None:
    gateway = GatewayProcess(
        {name: os.environ[name] for name in ("DATABASE_URL", "CHANNELS_URL") if name in os.environ}
    )
    gateway.prepare()
    gateway.manage("shell", "-c", FILL.format(number=number))
    try:
        gateway.start(within=60)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1360, "height": 860})
            sign_in(page, gateway.url)
            print(f"{number} open conversations: {page.locator('#counts').inner_text().split()}")
            tell("the page until it is live", [load(page) for _ in range(10)])
            tell("a visitor's words until their row is on top", page.evaluate(TALK, TIMES))
            browser.close()
    finally:
        gateway.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
