"""HTTP consumers, and Django beside them."""

import http.client
import json
import threading
import time
import urllib.request

from tests.gateway_process import GatewayProcess
from tests.notes.clients import PATIENCE, get, post


def test_a_basic_http_consumer(gateway: GatewayProcess) -> None:
    with urllib.request.urlopen(gateway.url + "/notes/basic/", timeout=PATIENCE) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain"
        assert response.read() == b"Your response bytes"


def test_a_long_poll_is_answered_when_there_is_something_to_say(gateway: GatewayProcess) -> None:
    poll = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
    poll.request("GET", "/notes/poll/")
    response = poll.getresponse()
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
    body: list[bytes] = []
    reader = threading.Thread(target=lambda: body.append(response.read()))
    reader.start()
    time.sleep(0.3)
    assert body == []
    post(gateway, "/notes/system_message/", chat="polls", type="chat.message", text="News!")
    reader.join(PATIENCE)
    assert json.loads(body[0]) == {"type": "chat.message", "text": "News!"}
    poll.close()


def test_djangos_views_beside_them(gateway: GatewayProcess) -> None:
    assert isinstance(get(gateway, "/notes/tasks/")["tasks"], list)
    assert isinstance(get(gateway, "/notes/log/")["log"], list)
    assert 'type="application/json">"attic"<' in gateway.body("/notes/room/attic/")
    for path, status in {"/": 200, "/console/login/": 200, "/admin/login/": 200, "/notes/nowhere/": 404}.items():
        assert gateway.status(path) == status
