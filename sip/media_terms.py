"""What one call offers for its sound, and what the far side's session description makes of it."""

from __future__ import annotations

import secrets

from sip.core import Address, Negotiated, SessionDescription, build_offer, negotiate
from sip.media import RemoteMedia
from sip.trunks import Trunk


class TermsError(Exception):
    """The two descriptions have nothing in common that we may use."""


class MediaTerms:
    """The offer of one call on a trunk, and the reading of the answers to it."""

    def __init__(self, trunk: Trunk, address: Address) -> None:
        self._codecs = trunk.codecs
        self.offer = build_offer(address, secrets.randbits(31), codecs=trunk.codecs, ptime_ms=trunk.ptime_ms)
        """The session description that goes into the INVITE."""

    def agree(self, sdp: SessionDescription, dialog: str, *, final: bool) -> RemoteMedia:
        """Return where and how our sound goes to the dialog that described itself so. Raises `TermsError`."""
        agreed = negotiate(sdp, self._codecs)
        if agreed is None:
            raise TermsError("the far side's session description holds no G.711 audio that can be reached")
        return _remote(agreed, dialog, final)


def _remote(agreed: Negotiated, dialog: str, final: bool) -> RemoteMedia:
    return RemoteMedia(
        host=agreed.remote.host,
        port=agreed.remote.port,
        payload_type=agreed.payload_type,
        codec="PCMU" if agreed.codec == "PCMU" else "PCMA",
        ptime_ms=round(agreed.ptime_ms),
        telephone_event_pt=agreed.telephone_event,
        final=final,
        dialog=dialog,
    )
