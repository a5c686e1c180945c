"""A directory with a few users, for the gateway's LDAP login: as much of LDAP (RFC 4511) as a bind and a read of one entry take.

What this module deliberately does not do: filters, referrals, TLS, or anything that changes an entry.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_SEQUENCE, _SET, _INTEGER, _OCTETS, _ENUMERATED = 0x30, 0x31, 0x02, 0x04, 0x0A
_BIND, _BOUND, _SEARCH, _ENTRY, _FOUND = 0x60, 0x61, 0x63, 0x64, 0x65
_SUCCESS, _NO_SUCH_OBJECT, _INVALID_CREDENTIALS, _REFUSED = 0, 32, 49, 50


@dataclass(frozen=True, slots=True)
class User:
    """A user: the password, and the groups by their distinguished names."""

    password: str
    groups: tuple[str, ...] = ()


class Directory:
    """Users by their distinguished names, on a port of loopback; a context manager."""

    def __init__(self, users: dict[str, User], *, anonymous: bool = False) -> None:
        """Listen; the port is a free one. `anonymous` says whether it lets those read who have not shown a password."""

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                reads = anonymous
                while (message := _read(self.rfile.read)) is not None:
                    number, (operation, body) = list(_parts(message))[:2]
                    parts = [value for _, value in _parts(body)]
                    answers: list[bytes] = []
                    if operation == _BIND:
                        bound = _knows(users, parts[1].decode(), parts[2].decode())
                        reads = bound or anonymous
                        answers = [_tagged(_BOUND, _result(_SUCCESS if bound else _INVALID_CREDENTIALS))]
                    elif operation == _SEARCH:
                        answers = _found(users, parts[0].decode()) if reads else [_tagged(_FOUND, _result(_REFUSED))]
                    for answer in answers:
                        self.wfile.write(_tagged(_SEQUENCE, _tagged(*number) + answer))

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ldap://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _knows(users: dict[str, User], name: str, password: str) -> bool:
    user = users.get(name)
    return user is not None and user.password == password


def _found(users: dict[str, User], name: str) -> list[bytes]:
    user = users.get(name)
    if user is None:
        return [_tagged(_FOUND, _result(_NO_SUCH_OBJECT))]
    groups = b"".join(_tagged(_OCTETS, group.encode()) for group in user.groups)
    member_of = _tagged(_SEQUENCE, _tagged(_OCTETS, b"memberOf") + _tagged(_SET, groups))
    entry = _tagged(_OCTETS, name.encode()) + _tagged(_SEQUENCE, member_of)
    return [_tagged(_ENTRY, entry), _tagged(_FOUND, _result(_SUCCESS))]


def _result(code: int) -> bytes:
    return _tagged(_ENUMERATED, bytes([code])) + _tagged(_OCTETS, b"") + _tagged(_OCTETS, b"")


def _tagged(tag: int, value: bytes) -> bytes:
    size = len(value)
    length = bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + value


def _read(read: Callable[[int], bytes]) -> bytes | None:
    """The next element's content; None at the end of the connection."""
    head = read(2)
    if len(head) < 2:
        return None
    size = head[1] if head[1] < 0x80 else int.from_bytes(read(head[1] & 0x7F))
    return read(size)


def _parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements in a content, with their tags."""
    at = 0
    while at < len(content):
        tag, size = content[at], content[at + 1]
        at += 2
        if size & 0x80:
            more = size & 0x7F
            size = int.from_bytes(content[at : at + more])
            at += more
        yield tag, content[at : at + size]
        at += size
