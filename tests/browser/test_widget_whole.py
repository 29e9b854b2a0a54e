"""A whole visit with the real gateway: a form, words, a picture, an operator, the end, stars."""

import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.browser.chat import Chat
from tests.browser.conftest import OPERATOR, HostSite, OpenPage, expect
from tests.browser.test_widget_offers import PNG
from tests.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OFFER = """
from gateway.models import Bot
from gateway.web.models import WidgetOptions
bot = Bot.objects.get_or_create(name="desk")[0]
fields = "name*|Your name\\nemail|E-mail|email"
WidgetOptions.objects.update_or_create(
    bot=bot, defaults={"uploads": True, "rating": True, "form": "before", "form_fields": fields}
)
"""
RATED = """
import hashlib
import hmac
import json
import time
from gateway.web.models import Rating
rating = Rating.objects.select_related("conversation__contact").latest("pk")
print(json.dumps([rating.score, rating.text, rating.conversation.contact.name]))
"""


@pytest.fixture
def visitor(open_page: OpenPage, gateway: GatewayProcess) -> Chat:
    gateway.manage("shell", "-c", OFFER)
    return Chat(open_page(f"{gateway.url}/chat/?bot=desk"))


def test_a_visit_from_the_form_to_the_stars(visitor: Chat, console: "Page", gateway: GatewayProcess) -> None:
    form = visitor.widget.locator("form.ask")
    form.get_by_label("Your name").fill("Zoë Lee")
    form.get_by_label("E-mail").fill("zoe@a.example")
    form.get_by_role("button", name="Start the chat", exact=True).click()
    expect(form).to_have_count(0)

    visitor.say("I want to speak to a human")
    expect(visitor.bubbles("bot").last).to_contain_text("I have asked a colleague")
    picker = visitor.widget.locator("input[type=file]")
    picker.set_input_files([{"name": "the box.png", "mimeType": "image/png", "buffer": PNG}])
    expect(visitor.widget.locator(".waiting progress")).to_have_count(0)
    visitor.say("this is the box")
    picture = visitor.widget.locator(".message.visitor .files img")
    expect(picture).to_have_attribute("alt", "the box.png")
    assert (
        picture.evaluate("async image => { image.loading = 'eager'; await image.decode(); return image.naturalWidth; }")
        == 1
    )

    console.locator("#list button", has_text="Zoë Lee").first.click()
    console.get_by_role("button", name="Take over", exact=True).click()
    expect(visitor.status).to_have_text(f"{OPERATOR} has joined")
    console.locator("#text").fill("I see it.")
    console.locator("#text").press("Enter")
    expect(visitor.bubbles("operator")).to_have_text(["I see it."])
    visitor.page.reload()
    expect(visitor.status).to_have_text(f"{OPERATOR} has joined")
    expect(picture).to_have_attribute("alt", "the box.png")
    console.get_by_role("button", name="Hand back", exact=True).click()
    expect(visitor.bubbles("system").last).to_have_text(f"{OPERATOR} has left")

    visitor.widget.get_by_role("button", name="End the conversation", exact=True).click()
    visitor.widget.get_by_role("button", name="End it", exact=True).click()
    visitor.widget.get_by_role("radio", name="5 of 5", exact=True).check()
    visitor.widget.get_by_label("Anything to add?").fill("kind")
    visitor.widget.locator(".card").get_by_role("button", name="Send", exact=True).click()
    expect(visitor.widget.locator(".card")).to_contain_text("Thank you")
    assert json.loads(gateway.manage("shell", "-c", RATED).splitlines()[-1]) == [5, "kind", "Zoë Lee"]
    visitor.widget.get_by_role("button", name="Start a new one", exact=True).click()
    expect(visitor.widget.locator(".message")).to_have_count(0)
    expect(form).to_be_visible()


def test_two_tabs_one_of_them_without_a_network(open_page: OpenPage, gateway: GatewayProcess, shop: HostSite) -> None:
    """What one tab says while the other is away is there when it comes back, once."""
    here = Chat(open_page(shop.url)).open()
    here.say("one")
    expect(here.bubbles("bot")).to_have_count(1)
    tab = here.page.context.new_page()
    tab.goto(shop.url)
    there = Chat(tab).open()
    expect(there.bubbles("bot")).to_have_count(1)
    here.page.evaluate("dispatchEvent(new Event('offline'))")
    there.say("two")
    expect(there.bubbles("bot")).to_have_count(2)
    expect(here.bubbles("visitor")).to_have_text(["one", "two"])
    expect(here.bubbles("bot")).to_have_text(["You said: one", "You said: two"])


def test_a_room_is_shared_by_visitors_and_the_bot(open_page: OpenPage, gateway: GatewayProcess) -> None:
    ann = Chat(open_page(f"{gateway.url}/chat/?room=tea-1&name=Ann"))
    ben = Chat(open_page(f"{gateway.url}/chat/?room=tea-1"))
    expect(ann.status).to_have_text("Online")
    expect(ben.status).to_have_text("Online")
    ann.say("who has tea?")
    expect(ann.bubbles("visitor")).to_have_text(["who has tea?"])
    expect(ben.bubbles("other")).to_have_text(["who has tea?"])
    expect(ben.widget.locator(".message.other .name")).to_have_text(["Ann"])
    expect(ben.bubbles("bot")).to_have_text(["You said: who has tea?"])
    ben.say("/name Ben <b>Lee</b>")
    expect(ben.bubbles("system")).to_have_text(["You are called Ben <b>Lee</b> now"])
    ben.say("I have")
    expect(ann.widget.locator(".message.other .name")).to_have_text(["Ben <b>Lee</b>"])
    ann.page.reload()
    expect(ann.bubbles("visitor")).to_have_text(["who has tea?"])
    expect(ann.bubbles("other")).to_have_text(["I have"])
    expect(ann.widget.get_by_role("button", name="End the conversation", exact=True)).to_have_count(0)


def test_a_signed_visitor_comes_back_in_another_browser(open_page: OpenPage, gateway: GatewayProcess) -> None:
    gateway.manage("shell", "-c", SECRET % SITES_SECRET)
    first = signed_in(open_page, gateway)
    first.say("it is me")
    expect(first.sent()).to_have_text(["it is me"])
    second = signed_in(open_page, gateway)
    expect(second.bubbles("visitor")).to_have_text(["it is me"])
    second.widget.evaluate("chat => chat.identify(null)")
    expect(second.bubbles("visitor")).to_have_count(0)
    expect(second.status).to_have_text("Online")


SITES_SECRET = "a secret of the site, long enough to sign"
SECRET = """
from gateway.models import Bot
from gateway.web.models import WidgetOptions
bot = Bot.objects.get_or_create(name="survey")[0]
WidgetOptions.objects.update_or_create(bot=bot, defaults={"identity_secret": %r})
"""


def signed_in(open_page: OpenPage, gateway: GatewayProcess) -> Chat:
    identity = {"id": "42", "name": "Ann Müller", "expires": int(time.time()) + 3600}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    signature = hmac.new(SITES_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    chat = Chat(open_page(f"{gateway.url}/?bot=survey"))
    given = {"identity": identity, "signature": signature}
    chat.widget.evaluate("(chat, given) => chat.identify(given.identity, given.signature)", given)
    return chat.open()
