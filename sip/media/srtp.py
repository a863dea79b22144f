"""SRTP and SRTCP of one call (RFC 3711), with keys exchanged in the SDP (RFC 4568).

The library keeps one context per key with its roll-over counters and replay windows; a context lives as long
as its key is named by the SDP, so that a repeated answer does not begin the counters anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pylibsrtp import Error, Policy, Session

from sip.media.model import RemoteMedia, SrtpPolicy, SrtpSuite

_PROFILES: Final[dict[SrtpSuite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
_KEPT: Final = 4
"""Keys of theirs that are tried: early dialogs have one each, and a new key overlaps with the one before."""
_REPLAY: Final = "replay"
"""How the library's text for a packet that came before begins."""


def _session(policy: SrtpPolicy, key: bytes, direction: int) -> Session:
    return Session(Policy(key=key, ssrc_type=direction, srtp_profile=_PROFILES[policy.suite]))


class _Incoming:
    """One key of theirs; without a policy, plain RTP."""

    def __init__(self, policy: SrtpPolicy | None, dialog: str) -> None:
        self.dialog = dialog
        self.identity = (policy.suite, policy.receive_key) if policy else None
        self.session = _session(policy, policy.receive_key, Policy.SSRC_ANY_INBOUND) if policy else None


class Crypto:
    """The encryption of one call; without any policy so far it changes nothing."""

    def __init__(self) -> None:
        self.active = False
        """Whether received packets have to go through `unprotect`."""
        self.sends = False
        """Whether what is sent has to go through `protect`."""
        self.failures = 0
        """Received packets that no key fits."""
        self._incoming: list[_Incoming] = []
        """The most likely first."""
        self._outgoing: Session | None = None
        self._identity: tuple[SrtpSuite, bytes] | None = None

    def connect(self, remote: RemoteMedia) -> None:
        """Take the keys of an SDP answer; the final one ends those of all other dialogs."""
        policy = remote.srtp
        identity = (policy.suite, policy.send_key) if policy else None
        if identity != self._identity:
            self._identity, self.sends = identity, policy is not None
            self._outgoing = _session(policy, policy.send_key, Policy.SSRC_ANY_OUTBOUND) if policy else None
        received = (policy.suite, policy.receive_key) if policy else None
        known = next((one for one in self._incoming if one.identity == received), None)
        others = [one for one in self._incoming if one is not known]
        if remote.final:
            others = [one for one in others if one.session and policy and remote.dialog == one.dialog]
        newest = known or _Incoming(policy, remote.dialog)
        newest.dialog = remote.dialog
        kept = [newest, *others][:_KEPT]
        self._incoming = sorted(kept, key=lambda one: one.session is None)  # plain RTP would take everything
        self.active = any(one.session for one in self._incoming)

    def protect(self, packet: bytes) -> bytes:
        """Return an RTP packet as it goes over the network."""
        return self._outgoing.protect(packet) if self._outgoing is not None else packet

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return an RTCP packet as it goes over the network."""
        return self._outgoing.protect_rtcp(packet) if self._outgoing is not None else packet

    def unprotect(self, packet: bytes, *, rtcp: bool = False, count: bool = True) -> bytes | None:
        """Return the plain packet; None when it came before, or when no key fits, which is counted."""
        for one in self._incoming:
            if one.session is None:
                return packet
            open_packet: Callable[[bytes], bytes] = (
                one.session.unprotect_rtcp if rtcp else one.session.unprotect
            )
            try:
                plain = open_packet(packet)
            except (Error, ValueError) as error:
                if str(error).startswith(_REPLAY):
                    return None
                continue
            if one is not self._incoming[0]:
                self._incoming = [one, *(other for other in self._incoming if other is not one)]
            return plain
        self.failures += count
        return None
