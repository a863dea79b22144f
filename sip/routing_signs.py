"""From a message of the far side to what it may say of forwarding and of the cause of a call's end."""

from __future__ import annotations

from sip.core import Message, Request, Response
from sip.progress.forwarding import RoutingSign
from sip.progress.isup import IsupMessage, read_isup

ISUP_TYPE = "application/isup"


def routing_sign(message: Message, t_ms: float) -> RoutingSign | None:
    """Return the sign that a response to an INVITE or a request of the far side is; None for other messages.

    An ACK says nothing new, and a BYE names who hangs up, which after a transfer need not be who was reached.
    """
    theirs = isinstance(message, Request)
    if isinstance(message, Response) and message.cseq.method != "INVITE":
        return None
    if isinstance(message, Request) and message.method in ("ACK", "BYE", "CANCEL", "OPTIONS"):
        return None
    identities = [*message.values("P-Asserted-Identity"), *_called_parties(message)]
    if theirs and not identities:
        # Connected identity (RFC 4916): in their request From is whom the call has reached by now. What the network
        # asserts counts more.
        identities.append(f"<{message.from_.uri}>")
    return RoutingSign(
        t_ms=t_ms,
        status=message.status if isinstance(message, Response) else 0,
        history_info=tuple(message.values("History-Info")),
        diversion=tuple(message.values("Diversion")),
        contacts=tuple(message.values("Contact")),
        identities=tuple(identities),
        own=(message.to if theirs else message.from_).uri,
        isup=isup_of(message),
        message=message.method if isinstance(message, Request) else "",
        dialog=(message.from_ if theirs else message.to).tag,
    )


def isup_of(message: Message) -> IsupMessage | None:
    """Return the ISUP message that a message carries (SIP-I), None without one."""
    part = message.part(ISUP_TYPE)
    return read_isup(part.body) if part is not None else None


def _called_parties(message: Message) -> list[str]:
    """Remote-Party-ID of the called party; that of the calling one is our own."""
    values = message.values("Remote-Party-ID")
    parties = {
        address.uri: address.parameters.get("party", "") for address in message.addresses("Remote-Party-ID")
    }
    return [
        value
        for value in values
        if any(uri in value and party != "calling" for uri, party in parties.items())
    ]
