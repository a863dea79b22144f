"""Refusing a request without keeping anything of it (RFC 3261 section 8.2.7).

A flood of requests that belong to no call must cost no memory, and must not be multiplied: a refusal leaves once for
each arrival of its request and is never repeated by a timer. Whoever means it repeats the request until the refusal
arrives, and gets the same one: the To-tag is made of what names the request, under a secret of the endpoint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from .compose import respond, response_destination, sent_by
from .framing import Request
from .sanity import Fault
from .transactions import server_key
from .types import Address, Datagram

Knock = Callable[[Request, Address, float], Fault | None]
"""Says of an INVITE outside any dialog, by source and monotonic arrival, why it is refused; None: it may be a call."""


def refuse(request: Request, source: Address, fault: Fault, secret: bytes) -> Datagram:
    """Return the refusal; an empty reason stands for the usual phrase."""
    reason = fault.reason or None
    data = respond(request, source, fault.status, reason, to_tag=_tag(request, secret), headers=fault.headers)
    return Datagram(
        data,
        response_destination(request, source),
        None,
        request.cseq.method,
        fault.status,
        data[12 : data.index(b"\r\n")].decode("utf-8", "replace"),
        otherwise=sent_by(request, source),
    )


def _tag(request: Request, secret: bytes) -> str:
    named = repr((server_key(request), request.call_id, request.from_.tag, request.cseq.number))
    return hashlib.blake2b(named.encode("utf-8", "replace"), key=secret, digest_size=8).hexdigest()
