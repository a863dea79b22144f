"""What a registrar grants: the binding of our contact, as the 2xx to a REGISTER tells it."""

from __future__ import annotations

from dataclasses import dataclass

from .framing import Message, Response
from .types import DEFAULT_PORTS, Address
from .values import NameAddress, split_host


@dataclass(frozen=True, slots=True)
class Binding:
    """What the registrar granted."""

    until: float
    """Monotonic seconds."""
    expires_s: float
    service_route: tuple[str, ...] = ()
    """URIs of Service-Route (RFC 3608): the route set of the account's calls."""
    associated: tuple[str, ...] = ()
    """URIs of P-Associated-URI (RFC 7315 section 4.1); the first is the default identity."""
    seen_as: Address | None = None
    """Where the registrar saw us (`received` and `rport` of our Via), None if it does not say."""
    flow_timer_s: float | None = None
    """How often the registrar wants a keep-alive at least (RFC 5626 section 10)."""


def granted(message: Message, contact: str, instance: str | None, asked_s: float) -> float:
    """Return for how many seconds our contact is bound.

    Its own `expires` counts before the Expires field (RFC 3261 section 10.2.4). A registrar may list the bindings
    of other devices too, and a gateway in between may have rewritten ours: then the same user part is taken for
    ours, the shortest time if there are several. With neither, we take what we asked for.
    """
    mine = _ours(list(message.contacts), contact, instance)
    given = [seconds(address.parameters.get("expires")) for address in mine]
    known = [value for value in given if value is not None]
    if known:
        return min(known)
    header = seconds(message.header("expires"))
    return asked_s if header is None else header


def _ours(contacts: list[NameAddress], contact: str, instance: str | None) -> list[NameAddress]:
    if instance is not None:
        by_instance = [c for c in contacts if c.parameters.get("+sip.instance", "").strip("<>") == instance]
        if by_instance:
            return by_instance
    same = [c for c in contacts if _place(c.uri) == _place(contact)]
    if same or len(contacts) == 1:
        return same or contacts
    return [c for c in contacts if _place(c.uri)[0] == _place(contact)[0]]


def _place(uri: str) -> tuple[str, str, int]:
    """Return what a contact is compared by: user, host and port."""
    scheme, _, rest = uri.partition(":")
    user, _, tail = rest.partition("?")[0].rpartition("@")
    host, port = split_host(tail.partition(";")[0].strip())
    return user, host.lower(), port or DEFAULT_PORTS["tls" if scheme.lower() == "sips" else "udp"]


def read_binding(response: Response, expires_s: float, now: float, destination: Address) -> Binding:
    return Binding(
        until=now + expires_s,
        expires_s=expires_s,
        service_route=tuple(address.uri for address in response.addresses("service-route")),
        associated=tuple(address.uri for address in response.addresses("p-associated-uri")),
        seen_as=_seen_as(response, destination),
        flow_timer_s=seconds(response.header("flow-timer")),
    )


def _seen_as(response: Response, destination: Address) -> Address | None:
    """Return our address as the registrar saw it (RFC 3581 section 4)."""
    via = response.via
    port = via.parameters.get("rport", "")
    host = via.parameters.get("received", "") or via.host
    number = split_host(f"x:{port}")[1] or via.port
    if not (port or "received" in via.parameters) or number is None:
        return None
    return Address(host.strip("[]"), number, destination.transport)


def seconds(text: str | None) -> float | None:
    """Return a number of seconds as header fields write it, None if it is none."""
    text = (text or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
