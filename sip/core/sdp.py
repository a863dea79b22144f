"""Offers and answers (RFC 3264) for one stream of telephone audio, plain or with SRTP keys (RFC 4568).

How SRTP is offered, by mode:

- `off`: RTP/AVP without keys. An offer of RTP/SAVP is refused; keys in one of RTP/AVP are passed over.
- `required`: RTP/SAVP with keys, as RFC 4568 has it. An answer or offer without keys is refused.
- `optional`: RTP/AVP with keys. Strictly RTP/AVP is plain, but this is what telephones and exchanges of many makers
  send and understand as "SRTP if you can"; those who do not understand it see an ordinary offer. The two other ways,
  two media lines or capability negotiation (RFC 5939), are refused or misread by more of them. Who demands SRTP
  strictly refuses it with 488: such a trunk is set to `required`.

The keys are as secret as the message that carries them: only signalling over TLS hides them.

Comfort noise (payload type 13) is not offered and `a=silenceSupp:off` (RFC 3108) asks for none: we listen to the
line, and the far side's silence suppression would cut what it deems silence. Packets of comfort noise that come all
the same are understood by the media engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .description import (
    MIRROR,
    STATIC_PAYLOAD_TYPES,
    Direction,
    PayloadType,
    SessionDescription,
    audio_choices,
    parse_sdp,
)
from .sdes import Sdes, SrtpKeys
from .types import Address

__all__ = [
    "CODECS",
    "MIRROR",
    "PTIME_MS",
    "STATIC_PAYLOAD_TYPES",
    "TELEPHONE_EVENT",
    "Direction",
    "Negotiated",
    "PayloadType",
    "SessionDescription",
    "build_answer",
    "build_offer",
    "mismatch",
    "negotiate",
    "own_keys",
    "parse_sdp",
    "with_direction",
]

CODECS = ("PCMA", "PCMU")
"""What we speak, the preferred first."""
_NUMBERS = {"PCMA": 8, "PCMU": 0}
PTIME_MS = 20
TELEPHONE_EVENT = 101
PLAIN = ("RTP/AVP", "RTP/AVPF")
SECURE = ("RTP/SAVP", "RTP/SAVPF")
"""RFC 3551, RFC 4585, RFC 3711, RFC 5124. The feedback of the F kinds is announced by further lines; we have none."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What the two descriptions agree on."""

    remote: Address
    """Where our RTP goes."""
    payload_type: int
    """The payload type that we send."""
    codec: str
    """`PCMA` or `PCMU`."""
    ptime_ms: float
    """The length of the packets that we send."""
    telephone_event: int | None
    """The payload type of DTMF events, None if there are none."""
    direction: Direction
    """As seen from us."""
    srtp: SrtpKeys | None = None
    """What both sides encrypt with; None: plain RTP."""
    rtcp: Address | None = None
    """Where our RTCP goes; None: the port above `remote`."""
    rtcp_mux: bool = False
    """Whether RTCP shares the port of RTP, when both sides said so."""


def build_offer(
    address: Address,
    session_id: int,
    version: int = 1,
    codecs: tuple[str, ...] = CODECS,
    ptime_ms: int = PTIME_MS,
    direction: Direction = "sendrecv",
    *,
    crypto: Sdes | None = None,
    rtcp: Address | None = None,
    rtcp_mux: bool = False,
) -> bytes:
    """Return an offer of G.711 and telephone events for the RTP address.

    `crypto` holds the keys of an offer of SRTP, `rtcp` an RTCP address other than the next higher port. The same
    arguments give the same bytes: a repeated offer keeps its version (RFC 3264 section 8).
    """
    formats = [PayloadType(_NUMBERS[codec], codec, 8000) for codec in codecs]
    formats.append(PayloadType(TELEPHONE_EVENT, "telephone-event", 8000, "0-15"))
    required = crypto is not None and crypto.mode == "required"
    profile = "RTP/SAVP" if required else "RTP/AVP"
    further = _further_lines(address, crypto, rtcp, rtcp_mux)
    audio = _audio_lines(address.port, profile, formats, direction, ptime_ms)
    return _compose(address, session_id, version, [[*audio, *further]])


def build_answer(
    offer: SessionDescription,
    address: Address,
    session_id: int,
    version: int = 1,
    codecs: tuple[str, ...] = CODECS,
    ptime_ms: int | None = None,
    direction: Direction | None = None,
    *,
    crypto: Sdes | None = None,
    rtcp: Address | None = None,
    rtcp_mux: bool = False,
) -> bytes | None:
    """Return the answer to an offer, or None when nothing is common (488); `mismatch` says why.

    The answer keeps the offer's profile, payload type numbers and order, refuses further media with port 0, and
    mirrors the direction. With keys it names those of the first line that we can use. `rtcp_mux` tells whether
    we can, and counts only if they offer it.
    """
    offer = _chosen(offer, codecs, crypto)
    if offer.audio_index < 0 or _fault(offer, codecs, crypto, answering=True):
        return None
    if offer.rejected and any(line.split()[1:2] != ["0"] for line in offer.media_lines):
        # Sound is to give way to something that we refuse (T.38): the call had better stay as it is.
        return None
    formats = [p for p in offer.payload_types if _speaks(p, codecs)][:1]
    if (event := offer.telephone_event) is not None:
        formats.append(PayloadType(event, "telephone-event", 8000, "0-15"))
    port = 0 if offer.rejected else address.port
    way = direction or MIRROR[offer.direction]
    audio = _audio_lines(
        port, offer.profile or PLAIN[0], formats, way, ptime_ms or offer.ptime_ms or PTIME_MS
    )
    keys = crypto.matched(offer.crypto) if crypto is not None else None
    audio += _further_lines(address, keys, rtcp, rtcp_mux and offer.rtcp_mux)
    media = [
        audio if n == offer.audio_index else [_refusal(line)] for n, line in enumerate(offer.media_lines)
    ]
    return _compose(address, session_id, version, media)


def own_keys(ours: SessionDescription) -> Sdes:
    """Return the SRTP mode and the keys that a description of our own stands for.

    For `negotiate` with what the far side answered to it, or with the offer that it answers: in both cases the
    lines of the two sides are matched by tag and suite, without `answering`.
    """
    if not ours.crypto:
        return Sdes("off")
    return Sdes("required" if ours.profile in SECURE else "optional", ours.crypto)


def negotiate(
    remote: SessionDescription | None,
    codecs: tuple[str, ...] = CODECS,
    ptime_ms: float | None = None,
    *,
    crypto: Sdes | None = None,
    answering: bool = False,
    rtcp_mux: bool = False,
) -> Negotiated | None:
    """Return what we send to the side that described itself as `remote`, or None where `mismatch` says why.

    Their order of preference decides the codec, their `ptime` the packet length unless `ptime_ms` overrides
    it. `answering`: theirs is an offer, and `crypto` what our answer was made with; else theirs is the answer to an
    offer with `crypto`. `rtcp_mux`: our own description said so.
    """
    remote = None if remote is None else _chosen(remote, codecs, crypto if answering else None)
    if remote is None or remote.address is None or mismatch(remote, codecs, crypto, answering):
        return None
    chosen = next(payload_type for payload_type in remote.payload_types if _speaks(payload_type, codecs))
    length_ms = ptime_ms or remote.ptime_ms or PTIME_MS
    if remote.maxptime_ms is not None:
        length_ms = min(length_ms, remote.maxptime_ms)
    return Negotiated(
        remote=remote.address,
        payload_type=chosen.number,
        codec=chosen.encoding,
        ptime_ms=length_ms,
        telephone_event=remote.telephone_event,
        direction=MIRROR[remote.direction],
        srtp=_keys(remote, crypto, answering),
        rtcp=remote.rtcp,
        rtcp_mux=rtcp_mux and remote.rtcp_mux,
    )


def mismatch(
    remote: SessionDescription | None,
    codecs: tuple[str, ...] = CODECS,
    crypto: Sdes | None = None,
    answering: bool = False,
) -> str:
    """Return why there can be no sound with the side that described itself as `remote`, "" if there can.

    The arguments are those of `negotiate`.
    """
    if remote is None:
        return "the far side sent no session description"
    remote = _chosen(remote, codecs, crypto if answering else None)
    if remote.audio_index < 0:
        return "the far side describes no sound"
    if remote.rejected:
        return "the far side refused the sound (port 0)"
    if remote.address is None:
        return "the far side names no address for its sound"
    return _fault(remote, codecs, crypto, answering)


def with_direction(description: SessionDescription, direction: Direction) -> SessionDescription:
    """Return the description with another direction."""
    return replace(description, direction=direction)


def _speaks(payload_type: PayloadType, codecs: tuple[str, ...]) -> bool:
    return payload_type.encoding in codecs and payload_type.clock_hz == 8000


def _chosen(offer: SessionDescription, codecs: tuple[str, ...], crypto: Sdes | None) -> SessionDescription:
    """Return the audio line that we take of those offered: one with SRTP before one without, if we do it."""
    choices = audio_choices(offer)
    fitting = [choice for choice in choices if not _fault(choice, codecs, crypto, answering=True)]
    if crypto is not None and crypto.mode != "off":
        fitting.sort(key=lambda choice: not choice.crypto)
    return next(iter(fitting), offer)


def _fault(remote: SessionDescription, codecs: tuple[str, ...], crypto: Sdes | None, answering: bool) -> str:
    """Say why the profile, the keys or the codecs of an audio line cannot be ours, "" if they can."""
    profile = remote.profile or PLAIN[0]
    if "TLS" in profile or (profile in SECURE and remote.fingerprint and not remote.crypto):
        return f"the far side wants keys by DTLS ({profile}), which we do not do"
    if profile not in PLAIN + SECURE:
        return f"the far side's sound goes by {profile[:40]}, which we do not do"
    if why := _srtp_fault(remote, crypto, answering):
        return why
    if not any(_speaks(payload_type, codecs) for payload_type in remote.payload_types):
        theirs = ", ".join(p.encoding or str(p.number) for p in remote.payload_types) or "nothing"
        return f"no common codec: the far side has {theirs[:200]}, we have {', '.join(codecs)}"
    return ""


def _srtp_fault(remote: SessionDescription, crypto: Sdes | None, answering: bool) -> str:
    secure = remote.profile in SECURE
    if crypto is None or crypto.mode == "off":
        return "the far side wants SRTP, and ours is off" if secure else ""
    if _keys(remote, crypto, answering) is not None:
        return ""
    if not answering and remote.crypto:
        return "the far side answers with an SRTP key for a line that we did not offer"
    if secure:
        return "the far side wants SRTP, but gives no key that we can use" + _about_keys(remote)
    if crypto.mode == "required":
        return "the far side has no SRTP, and ours is required" + _about_keys(remote)
    return ""


def _about_keys(remote: SessionDescription) -> str:
    notes = [note for note in remote.notes if note.startswith("a=crypto")]
    return f" ({'; '.join(notes[:3])})" if notes else ""


def _keys(remote: SessionDescription, crypto: Sdes | None, answering: bool) -> SrtpKeys | None:
    """Return the keys that both sides agree on: theirs is the line with the tag and the suite of one of ours."""
    if crypto is None or crypto.mode == "off":
        return None
    ours = {
        (line.tag, line.suite): line.key
        for line in (crypto.matched(remote.crypto) if answering else crypto).lines
    }
    for line in remote.crypto:
        if (key := ours.get((line.tag, line.suite))) is not None:
            return SrtpKeys(line.suite, key, line.key)
    return None


def _audio_lines(
    port: int, profile: str, formats: list[PayloadType], direction: Direction, ptime_ms: float
) -> list[str]:
    lines = [f"m=audio {port} {profile} {' '.join(str(f.number) for f in formats)}"]
    for entry in formats:
        lines.append(f"a=rtpmap:{entry.number} {entry.encoding}/{entry.clock_hz}")
        if entry.encoding == "telephone-event":
            lines.append(f"a=fmtp:{entry.number} {entry.parameters or '0-15'}")
    return [*lines, "a=silenceSupp:off - - - -", f"a=ptime:{ptime_ms:g}", f"a={direction}"]


def _further_lines(address: Address, crypto: Sdes | None, rtcp: Address | None, mux: bool) -> list[str]:
    lines = [line.text for line in crypto.lines] if crypto is not None else []
    if rtcp is not None:
        elsewhere = f" IN {_family(rtcp.host)} {rtcp.host}" if rtcp.host != address.host else ""
        lines.append(f"a=rtcp:{rtcp.port}{elsewhere}")
    return [*lines, "a=rtcp-mux"] if mux else lines


def _family(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


def _refusal(media_line: str) -> str:
    words = media_line.split()
    return "m=" + " ".join([words[0], "0", *words[2:]]) if len(words) > 3 else "m=audio 0 RTP/AVP 0"


def _compose(address: Address, session_id: int, version: int, media: list[list[str]]) -> bytes:
    family = _family(address.host)
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN {family} {address.host}",
        "s=-",
        f"c=IN {family} {address.host}",
        "t=0 0",
    ]
    for section in media:
        lines += section
    return ("\r\n".join(lines) + "\r\n").encode()
