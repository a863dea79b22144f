"""What one call offers for its sound, and what the far side's session description makes of it."""

from __future__ import annotations

import secrets

from sip.core import (
    Address,
    Negotiated,
    Sdes,
    SessionDescription,
    build_answer,
    build_offer,
    mismatch,
    negotiate,
    own_keys,
)
from sip.media import RemoteMedia, SrtpPolicy
from sip.trunks import Trunk


class TermsError(Exception):
    """The two descriptions have nothing in common that we may use."""


class MediaTerms:
    """The offer of one call on a trunk, and the reading of the answers to it. Keys are new for each call."""

    def __init__(self, trunk: Trunk, address: Address) -> None:
        self._address = address
        self._codecs = trunk.codecs
        self._crypto = Sdes.make(trunk.srtp, secrets.token_bytes)
        self._session_id = secrets.randbits(31)
        self.offer = build_offer(
            address,
            self._session_id,
            codecs=trunk.codecs,
            ptime_ms=trunk.ptime_ms,
            crypto=self._crypto,
        )
        """The session description that goes into the INVITE."""

    def answer(self, offer: SessionDescription) -> bytes:
        """Return our answer to the first offer of a caller. Raises `TermsError` (488)."""
        body = build_answer(offer, self._address, self._session_id, codecs=self._codecs, crypto=self._crypto)
        if body is None:
            raise TermsError(mismatch(offer, self._codecs, self._crypto, answering=True))
        return body

    def agree(
        self,
        sdp: SessionDescription,
        dialog: str,
        *,
        final: bool,
        local: SessionDescription | None = None,
        answering: bool = False,
    ) -> RemoteMedia:
        """Return where and how our sound goes to the dialog that described itself so. Raises `TermsError`.

        `answering`: theirs is the first offer and ours the answer. `local` is our own description where both sides
        have described themselves anew.
        """
        crypto = self._crypto if local is None else own_keys(local)
        agreed = negotiate(sdp, self._codecs, crypto=crypto, answering=answering)
        if agreed is None:
            why = mismatch(sdp, self._codecs, crypto, answering)
            raise TermsError(why or "the far side's session description names no address that can be reached")
        return _remote(agreed, dialog, final)


def _remote(agreed: Negotiated, dialog: str, final: bool) -> RemoteMedia:
    keys, rtcp = agreed.srtp, agreed.rtcp
    return RemoteMedia(
        host=agreed.remote.host,
        port=agreed.remote.port,
        payload_type=agreed.payload_type,
        codec="PCMU" if agreed.codec == "PCMU" else "PCMA",
        ptime_ms=round(agreed.ptime_ms),
        telephone_event_pt=agreed.telephone_event,
        final=final,
        dialog=dialog,
        # Before the answer silence is sent whatever they say: some exchanges let early media through only then.
        wants_sound=not final or agreed.direction in ("sendrecv", "sendonly"),
        srtp=SrtpPolicy(keys.suite, keys.send_key, keys.receive_key) if keys else None,
        rtcp=(rtcp.host, rtcp.port) if rtcp else None,
        rtcp_mux=agreed.rtcp_mux,
    )
