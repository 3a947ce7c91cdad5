"""What stands before Dagster's pages: requests that a foreign page has a browser send are refused.

Dagster's webserver has no login and takes mutations by GET, from any ``Host`` and ``Origin``. A page anywhere could so
wipe assets by one picture's address in the browser of a person who has the UI open on loopback. Refused here, before
Dagster sees them, for HTTP and for websockets:

* a ``Host`` that is none of ours: a foreign name that resolves to us (DNS rebinding);
* an ``Origin`` that is none of ours, ``null`` among them, and what a browser says is ``cross-site``;
* a mutation in the address, whatever the method; what cannot be read as a query is Dagster's to refuse.

Ours are the loopback names with the port, and what ``SEG3B_UI_HOSTS`` adds: ``name:port``, or ``name`` for any port,
separated by commas. It is no login: who can reach the port, and sends no such request, can do everything.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

from seg3b_assets.laws.visible_text import visible

HOSTS: Final = "SEG3B_UI_HOSTS"
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_PORT: Final = re.compile(r":[0-9]{1,5}\Z")
_SHOWN: Final = 100
# A query that the UI puts into an address is far below it; parsing is what it costs.
_LONGEST_QUERY: Final = 100_000
_FOREIGN: Final = frozenset({"cross-site", "same-site"})

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class UiGuard:
    """An ASGI application before another.

    Args:
        app: what is guarded.
        port: it is served at.
        hosts: more names it is reached by, as ``SEG3B_UI_HOSTS`` lists them.
    """

    def __init__(self, app: App, port: int, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._ours = {f"{name}:{port}" for name in LOOPBACK} | {one.lower() for one in hosts}
        if port == 80:
            self._ours |= set(LOOPBACK)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        why = self.refusal(scope) if scope["type"] in ("http", "websocket") else None
        if why is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": why[:_SHOWN]})
        else:
            await _forbidden(send, why)

    def refusal(self, scope: Scope) -> str | None:
        """Why a request is refused; None where it is not."""
        hosts, origins = _header(scope, b"host"), _header(scope, b"origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return (
                f"Host {_told(hosts)} is none of this UI's: set {HOSTS} where it is reached by another name."
            )
        if any(not self._is_our_origin(origin) for origin in origins):
            return f"Origin {_told(origins)} is none of this UI's: set {HOSTS} where it is reached by another name."
        if _FOREIGN & set(_header(scope, b"sec-fetch-site")) and not _opens_a_page(scope):
            return "Another site's page sent this."
        if any(_changes_something(query) for query in _queries(scope)):
            return "A mutation is sent in the body of a POST, not in the address."
        return None

    def _is_ours(self, host: str) -> bool:
        return host.lower() in self._ours or _PORT.sub("", host.lower()) in self._ours

    def _is_our_origin(self, origin: str) -> bool:
        try:
            found = urlsplit(origin)
        except ValueError:
            return False
        return found.scheme in ("http", "https") and self._is_ours(found.netloc)


def hosts_of(text: str | None) -> tuple[str, ...]:
    """The names a setting lists."""
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def _header(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _opens_a_page(scope: Scope) -> bool:
    """A person followed a link to us; what the page then asks for comes from ourselves."""
    return scope.get("method") == "GET" and _header(scope, b"sec-fetch-mode") == ["navigate"]


def _queries(scope: Scope) -> list[str]:
    return parse_qs(scope.get("query_string", b"").decode("latin-1")).get("query", [])


def _changes_something(query: str) -> bool:
    if len(query) > _LONGEST_QUERY:
        return True
    try:
        document = parse(query)
    except (GraphQLError, RecursionError):
        return "mutation" in query
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return any(one.operation is OperationType.MUTATION for one in operations)


def _told(values: list[str]) -> str:
    return visible(", ".join(values)[:_SHOWN]) or "(none)"


async def _forbidden(send: Send, why: str) -> None:
    body = f"{why}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
