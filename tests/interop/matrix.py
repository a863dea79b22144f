"""Which foreign program proves what: the table of docs/reference/interop.md.

A test says what it proves by `@pytest.mark.interop("baresip", "tls", "srtp")`. Where no test of a program proves a
feature, `REASONS` says why; a test holds that nothing is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Cell = tuple[str, str]
"""Peer and feature."""

PEERS = {
    "sipp": "sipp",
    "baresip": "baresip",
    "linphone": "linphone",
    "kamailio": "kamailio",
    "pyvoip": "pyVoIP",
}
FEATURES = {
    "answer": "Rings, is answered, we hang up",
    "far-hang-up": "The far end hangs up",
    "refused": "Refused, busy or declined",
    "cancel": "Nobody answers: CANCEL",
    "media": "Sound both ways",
    "early-media": "Sound or its description before the answer",
    "latching": "Sound from another address than announced",
    "dtmf-sent": "Digits sent (RFC 4733, tones)",
    "dtmf-received": "Digits received (RFC 4733, INFO)",
    "udp": "UDP",
    "tcp": "TCP",
    "tls": "TLS, certificate checked",
    "srtp": "SRTP, keys by SDES",
    "ipv6": "IPv6",
    "mtu": "Long requests go by TCP",
    "loss": "Lost and repeated messages",
    "digest": "Digest credentials",
    "register": "Registration, refresh",
    "record-route": "Record-Route",
    "fork": "Forks: several early dialogs and answers",
    "100rel": "Reliable provisional responses, PRACK",
    "update": "UPDATE",
    "session-timer": "Session timers",
    "hold": "Hold and resume",
    "re-invite": "Re-INVITE: address, contact, no offer",
    "codec-change": "Codec change in mid-call",
    "glare": "Offers that cross",
    "t38": "Fax (T.38) refused",
    "refer": "Transfer refused",
    "in-call-requests": "Other requests in mid-call",
    "forwarding": "Signs of forwarding",
    "connected-identity": "Who really answered",
    "reason": "Causes of the exchange",
    "multipart": "Bodies of several parts",
    "odd-messages": "Odd but usable messages",
}
SCRIPTED = "A phone does not do this by itself or not on command; sipp does it from a scenario."
BEHIND = "It is the phone behind kamailio in kamailio's tests of this."
NOT_THERE = "This version cannot do it."
ELSEWHERE = "Nothing in it depends on the program; tested with sipp."
PROXY = "A proxy passes it on and has no part in it; tested with the phones themselves."
NO_TLS = "Debian builds sipp without TLS."
_SCRIPTED = (
    "latching",
    "loss",
    "glare",
    "t38",
    "refer",
    "in-call-requests",
    "forwarding",
    "connected-identity",
)
_MORE_SCRIPTED = ("reason", "multipart", "odd-messages", "re-invite", "codec-change", "mtu")
_PROXIED = (
    "early-media",
    "latching",
    "dtmf-sent",
    "dtmf-received",
    "100rel",
    "update",
    "session-timer",
    "hold",
)
_MORE_PROXIED = (
    "re-invite",
    "codec-change",
    "glare",
    "t38",
    "refer",
    "in-call-requests",
    "multipart",
    "reason",
)
_LAST_PROXIED = ("forwarding", "connected-identity", "odd-messages", "mtu", "loss")


def _spread(peers: Iterable[str], features: Iterable[str], reason: str) -> dict[Cell, str]:
    return {(peer, feature): reason for peer in peers for feature in features}


REASONS: Mapping[Cell, str] = {
    **_spread(("baresip", "linphone", "pyvoip"), (*_SCRIPTED, *_MORE_SCRIPTED), SCRIPTED),
    **_spread(("baresip",), ("digest", "register", "record-route", "fork"), BEHIND),
    **_spread(("linphone",), ("digest", "record-route"), BEHIND),
    **_spread(("baresip", "linphone", "kamailio"), ("ipv6",), ELSEWHERE),
    **_spread(("linphone",), ("dtmf-sent", "dtmf-received", "update", "session-timer"), SCRIPTED),
    **_spread(("baresip",), ("100rel", "update", "session-timer"), NOT_THERE),
    **_spread(("linphone",), ("100rel", "early-media", "tcp"), ELSEWHERE),
    **_spread(("linphone",), ("fork",), ELSEWHERE),
    **_spread(
        ("pyvoip",), ("tcp", "tls", "srtp", "ipv6", "100rel", "update", "session-timer", "hold"), NOT_THERE
    ),
    **_spread(("pyvoip",), ("early-media", "digest", "record-route", "fork", "cancel"), NOT_THERE),
    **_spread(("pyvoip",), ("register", "dtmf-sent", "dtmf-received"), ELSEWHERE),
    **_spread(("kamailio",), (*_PROXIED, *_MORE_PROXIED, *_LAST_PROXIED), PROXY),
    **_spread(("sipp",), ("tls", "srtp"), NO_TLS),
    **_spread(("sipp",), ("register",), "A registrar with a memory is needed; tested with kamailio."),
}


def marked(folder: Path) -> set[Cell]:
    """Return what the tests below `folder` claim to prove, read from their markers."""
    return {cell for path in sorted(folder.rglob("test_*.py")) for cell in _marks(path)}


def _marks(path: Path) -> Iterator[Cell]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.interop":
            peer, *features = (ast.literal_eval(argument) for argument in node.args)
            yield from ((peer, feature) for feature in features)


def problems(cells: set[Cell]) -> list[str]:
    """Return what is wrong with these cells: unknown names, holes without a reason, reasons without a hole."""
    known = {(peer, feature) for peer in PEERS for feature in FEATURES}
    found = [f"unknown: {peer} {feature}" for peer, feature in sorted((cells | set(REASONS)) - known)]
    found += [
        f"no test and no reason: {peer} {feature}" for peer, feature in sorted(known - cells - set(REASONS))
    ]
    return found + [
        f"a test and a reason: {peer} {feature}" for peer, feature in sorted(cells & set(REASONS))
    ]


def page(passed: Mapping[Cell, int], versions: Mapping[str, str]) -> str:
    """Return the page; `passed` are the passed tests of each cell, `versions` what each peer calls itself."""
    notes = sorted(set(REASONS.values()), key=list(REASONS.values()).index)
    lines = [
        "# Interoperation",
        "",
        "Each cell is the number of automated tests that proved a feature against a foreign program, over real sockets",
        "on the loopback, in the run that `make interop` wrote this page from. A letter says why there is none.",
        "",
        "| | " + " | ".join(PEERS.values()) + " |",
        "|---|" + "---|" * len(PEERS),
    ]
    for feature, title in FEATURES.items():
        cells = [_cell(passed, (peer, feature), notes) for peer in PEERS]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += ["", *(f"- **{chr(ord('a') + n)}** {note}" for n, note in enumerate(notes)), ""]
    lines += ["Versions of that run: " + ", ".join(f"{PEERS[name]} {versions[name]}" for name in PEERS) + "."]
    return "\n".join(lines) + "\n"


def _cell(passed: Mapping[Cell, int], cell: Cell, notes: list[str]) -> str:
    if count := passed.get(cell):
        return str(count)
    return chr(ord("a") + notes.index(REASONS[cell])) if cell in REASONS else "?"


def proved(text: str) -> set[Cell]:
    """Return the cells of a page that hold a number of tests."""
    titles = {title: feature for feature, title in FEATURES.items()}
    found = set()
    for line in text.splitlines():
        first, *cells = (word.strip() for word in line.strip("|").split("|"))
        if first in titles:
            found |= {
                (peer, titles[first]) for peer, cell in zip(PEERS, cells, strict=True) if cell.isdigit()
            }
    return found
