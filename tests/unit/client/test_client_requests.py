"""What the local client asks a server, word for word, and what it makes of each answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from test_ways_in_finding import PAIR, STATE, Door, home, write
from test_ways_in_finding import door as one_door
from test_ways_in_finding import runtime as runtime_folder

from jupyter_autostop.client.client import LocalClient, MissingExtensionError, NoWayInError, RefusedError, connect
from jupyter_autostop.client.transport import UnreachableError
from jupyter_autostop.errors import ClientError

door, runtime = one_door, runtime_folder
OURS = "/b/jupyter-autostop/"
CALLS: list[tuple[Callable[[LocalClient], Any], str, str, Any]] = [
    (lambda client: client.instance(), "GET", "instance", None),
    (lambda client: client.instance(refresh=True), "GET", "instance?refresh=1", None),
    (lambda client: client.change({"description": "é"}), "PATCH", "instance", {"description": "é"}),
    (lambda client: client.extend(by=60), "POST", "extend", {"by": 60}),
    (lambda client: client.extend(until=5), "POST", "extend", {"until": 5}),
    (lambda client: client.hold(until=5, then="stop"), "POST", "holds", {"until": 5, "then": "stop"}),
    (lambda client: client.release("a/b?c"), "DELETE", "holds/a%2Fb%3Fc", None),
    (lambda client: client.journal(), "GET", "journal", None),
    (lambda client: client.doctor(), "GET", "doctor", None),
]


@pytest.fixture
def client(door: Door, runtime: Path) -> LocalClient:
    """A client of the one server there is, which has a token."""
    write(runtime, os.getppid(), door.port, token="of file", secret="capability")
    return connect(home(runtime, os.getppid()))


def asked(door: Door) -> Iterator[tuple[str, str, dict[str, str], bytes]]:
    """Yield what our own routes were asked."""
    for (method, path, headers), body in zip(door.seen, door.bodies, strict=True):
        if path.startswith(OURS):
            yield method, path.removeprefix(OURS), headers, body


@pytest.mark.parametrize(("call", "method", "route", "body"), CALLS)
def test_each_request(
    client: LocalClient, door: Door, call: Callable[[LocalClient], Any], method: str, route: str, body: Any
) -> None:
    """One request: verb, route, JSON and who asks; a look has no body."""
    assert call(client) == STATE
    ((verb, path, headers, content),) = asked(door)
    assert (verb, path) == (method, route)
    assert (json.loads(content) if content else None) == body
    assert headers.get("Content-Type") == (None if body is None else "application/json")
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"] == f"jupyter_autostop/{version('jupyter_autostop')} (terminal)"
    assert {key for _, _, seen in door.seen for key in seen if key == "Accept"} == {"Accept"}


def test_another_server_is_asked_the_same(door: Door, runtime: Path) -> None:
    """`serve`, which stands in for a server that has not loaded the extension, gets the whole request."""
    door.answer = lambda _method, _path, headers: (200, STATE) if "Autostop" in str(headers) else (404, b"")
    write(runtime, 1, door.port, secret="of serve", serve=True)
    write(runtime, os.getppid(), door.port, token="of file")
    assert connect(home(runtime, os.getppid())).extend(by=7) == STATE
    assert [(path, body) for _, path, _, body in asked(door)] == [("extend", b'{"by": 7}')] * len(list(asked(door)))


def test_a_refusal_is_passed_on_whole(client: LocalClient, door: Door) -> None:
    """Status, code, words, way out, request id and State are the server's own."""
    said = {"code": "conflict", "message": "No.", "hint": "Look.", "request_id": "r1", "state": STATE}
    door.answer = lambda *_: (409, said)
    with pytest.raises(RefusedError, match=r"^No\. Look\.$") as caught:
        client.change({"description": "x"})
    error = caught.value
    assert error.payload() == {"message": "No.", "code": "conflict", "hint": "Look.", "request_id": "r1"}
    assert (error.http_status, error.state) == (409, STATE)
    door.answer = lambda *_: (500, {"code": ""})
    with pytest.raises(RefusedError, match="The Jupyter server refused \\(HTTP 500\\)") as caught:
        client.change({"description": "x"})
    error = caught.value
    assert error.payload() == {**error.payload(), "code": "refused", "hint": "", "request_id": None}
    assert error.state is None


def test_a_rule_of_the_server_is_called_so(client: LocalClient, door: Door) -> None:
    """Who may not do something is told whom to ask, whatever the server's own hint."""
    door.answer = lambda *_: (403, {"code": "not_authorized", "message": "No.", "hint": "Log in."})
    with pytest.raises(RefusedError) as caught:
        client.instance()
    assert caught.value.hint == "That is a rule of the Jupyter server; ask whoever runs it."
    assert door.ways() == ["token of file"]


@pytest.mark.parametrize("secret", ["capability", ""])
@pytest.mark.parametrize("status", [300, 302, 399, 401, 403])
def test_no_way_in(door: Door, runtime: Path, secret: str, status: int) -> None:
    """Every way that was tried is named, and what else there is."""
    door.answer = lambda *_: (status, b"")
    write(runtime, os.getppid(), door.port, token="of file", secret=secret)
    client = connect(home(runtime, os.getppid(), JUPYTERHUB_API_TOKEN="of hub"))
    with pytest.raises(NoWayInError) as caught:
        client.instance()
    tried = ["its token", "JUPYTERHUB_API_TOKEN", *(["its capability file"] if secret else []), "no login"]
    assert caught.value.message == (
        f"The Jupyter server at http://127.0.0.1:{door.port}/b/ does not let this terminal in "
        f"(tried: {', '.join(tried)})."
    )
    token = "Give its token with --server 'URL?token=…', as `jupyter server list` shows it."
    absent = "It has no capability file that can be read here: is jupyter_autostop loaded there? "
    assert caught.value.hint == (token if secret else absent + token)
    assert caught.value.code == "no_way_in"


def test_a_server_that_does_not_know_us(client: LocalClient, door: Door) -> None:
    """A plain 404 is a server without the extension; anything else that is no JSON of ours makes no sense."""
    door.answer = lambda *_: (404, b"<html>")
    url = f"http://127.0.0.1:{door.port}/b/"
    with pytest.raises(MissingExtensionError) as caught:
        client.instance()
    assert caught.value.message == f"The Jupyter server at {url} does not know jupyter_autostop."
    assert caught.value.code == "no_extension"
    for status in (200, 400, 405, 500):
        door.answer = lambda *_, status=status: (status, b"<html>")
        with pytest.raises(ClientError) as nonsense:
            client.instance()
        words = f"The Jupyter server at {url} gave an answer that makes no sense (HTTP {status})."
        assert (nonsense.value.message, type(nonsense.value)) == (words, ClientError)


def test_a_bad_request_is_final(client: LocalClient, door: Door) -> None:
    """400 is about what was asked, not about who asks."""
    door.answer = lambda *_: (400, {"code": "forbidden", "message": "No.", "hint": ""})
    with pytest.raises(RefusedError):
        client.instance()
    assert door.ways() == ["token of file"]


def test_the_pair_among_other_cookies(door: Door, runtime: Path) -> None:
    """Cookies of others, broken ones too, do not keep the XSRF token from being found."""
    door.cookies = ["a/b=1", "username=x; Path=/b/", f"_xsrf={PAIR}; Path=/b/", "_xsrf=later"]
    write(runtime, os.getppid(), door.port)
    assert connect(home(runtime, os.getppid())).change({"description": "x"}) == STATE
    assert door.ways() == [PAIR]
    door.cookies = ["username=x; Path=/b/"]
    assert connect(home(runtime, os.getppid())).change({"description": "x"}) == STATE
    assert door.ways() == [PAIR, "nothing"]


def test_a_certificate_authority_that_is_none(runtime: Path, door: Door, tmp_path: Path) -> None:
    """The file that was given is the one that is looked at."""
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(UnreachableError, match=r"ca\.pem cannot be used: No such file"):
        connect(home(runtime), f"https://127.0.0.1:{door.port}/b/", cafile=missing).instance()


def test_what_answers_is_named(runtime: Path, door: Door) -> None:
    """Whoever is no Jupyter server is named by the address that was given."""
    door.answer = lambda *_: (200, {})
    with pytest.raises(UnreachableError, match=f"What answers at http://127.0.0.1:{door.port}/c/ is no Jupyter server"):
        connect(home(runtime), f"http://127.0.0.1:{door.port}/c/").instance()
