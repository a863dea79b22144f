"""The media of calls: an engine process that receives, sends and captures, and the tools around its sound."""

from __future__ import annotations

from sip.media.capture import Block, Capture, CaptureReader, read_capture
from sip.media.client import MediaEngine, MediaSession
from sip.media.errors import CaptureError, EngineLost, MediaError, SoundFileError
from sip.media.g711 import decode, encode
from sip.media.model import (
    SAMPLE_RATE_HZ,
    CaptureFailed,
    Codec,
    DtmfReceived,
    EngineHealth,
    FirstPacket,
    HeardBlock,
    MediaEvent,
    MediaLost,
    MediaReport,
    PayloadFormat,
    PlayFinished,
    RemoteMedia,
    SessionSpec,
)
from sip.media.sounds import load_prompt

__all__ = [
    "SAMPLE_RATE_HZ",
    "Block",
    "Capture",
    "CaptureError",
    "CaptureFailed",
    "CaptureReader",
    "Codec",
    "DtmfReceived",
    "EngineHealth",
    "EngineLost",
    "FirstPacket",
    "HeardBlock",
    "MediaEngine",
    "MediaError",
    "MediaEvent",
    "MediaLost",
    "MediaReport",
    "MediaSession",
    "PayloadFormat",
    "PlayFinished",
    "RemoteMedia",
    "SessionSpec",
    "SoundFileError",
    "decode",
    "encode",
    "load_prompt",
    "read_capture",
]
