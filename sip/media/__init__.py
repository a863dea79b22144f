"""The media of calls: an engine process that receives, sends and captures, and the tools around its sound."""

from __future__ import annotations

from sip.media.client import MediaEngine, MediaSession
from sip.media.errors import CaptureError, EngineLost, MediaError, SoundFileError
from sip.media.model import (
    CaptureFailed,
    DtmfReceived,
    FirstPacket,
    HeardBlock,
    MediaEvent,
    MediaLost,
    MediaReport,
    PlayFinished,
    RemoteMedia,
    SessionSpec,
)

__all__ = [
    "CaptureError",
    "CaptureFailed",
    "DtmfReceived",
    "EngineLost",
    "FirstPacket",
    "HeardBlock",
    "MediaEngine",
    "MediaError",
    "MediaEvent",
    "MediaLost",
    "MediaReport",
    "MediaSession",
    "PlayFinished",
    "RemoteMedia",
    "SessionSpec",
    "SoundFileError",
]
