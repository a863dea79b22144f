"""The media of calls: an engine process that receives, sends and captures, and the tools around its sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip.lazily import face

if TYPE_CHECKING:
    from sip.media.capture import Block, Capture, CaptureReader, read_capture
    from sip.media.client import MediaEngine, MediaSession
    from sip.media.digits import parse_digits
    from sip.media.errors import CaptureError, EngineFull, EngineLost, MediaError, SoundFileError
    from sip.media.g711 import decode, encode
    from sip.media.model import (
        SAMPLE_RATE_HZ,
        CapacityEstimate,
        CaptureFailed,
        Codec,
        DigitsSent,
        DtmfReceived,
        EngineHealth,
        FirstPacket,
        HeardBlock,
        MediaEvent,
        MediaLost,
        MediaReport,
        PacketLogFailed,
        PayloadFormat,
        PlayFinished,
        RemoteMedia,
        SessionSpec,
        SrtpPolicy,
        SrtpSuite,
    )
    from sip.media.packet_log import LoggedPacket, PacketLogError, read_packets
    from sip.media.sounds import load_prompt

__all__ = [
    "SAMPLE_RATE_HZ",
    "Block",
    "CapacityEstimate",
    "Capture",
    "CaptureError",
    "CaptureFailed",
    "CaptureReader",
    "Codec",
    "DigitsSent",
    "DtmfReceived",
    "EngineFull",
    "EngineHealth",
    "EngineLost",
    "FirstPacket",
    "HeardBlock",
    "LoggedPacket",
    "MediaEngine",
    "MediaError",
    "MediaEvent",
    "MediaLost",
    "MediaReport",
    "MediaSession",
    "PacketLogError",
    "PacketLogFailed",
    "PayloadFormat",
    "PlayFinished",
    "RemoteMedia",
    "SessionSpec",
    "SoundFileError",
    "SrtpPolicy",
    "SrtpSuite",
    "decode",
    "encode",
    "load_prompt",
    "parse_digits",
    "read_capture",
    "read_packets",
]

__getattr__ = face(
    __name__,
    {
        "capture": ("Block", "Capture", "CaptureReader", "read_capture"),
        "client": ("MediaEngine", "MediaSession"),
        "digits": ("parse_digits",),
        "errors": ("CaptureError", "EngineFull", "EngineLost", "MediaError", "SoundFileError"),
        "g711": ("decode", "encode"),
        "model": (
            "CapacityEstimate",
            "CaptureFailed",
            "Codec",
            "DigitsSent",
            "DtmfReceived",
            "EngineHealth",
            "FirstPacket",
            "HeardBlock",
            "MediaEvent",
            "MediaLost",
            "MediaReport",
            "PacketLogFailed",
            "PayloadFormat",
            "PlayFinished",
            "RemoteMedia",
            "SAMPLE_RATE_HZ",
            "SessionSpec",
            "SrtpPolicy",
            "SrtpSuite",
        ),
        "packet_log": ("LoggedPacket", "PacketLogError", "read_packets"),
        "sounds": ("load_prompt",),
    },
)
