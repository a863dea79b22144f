"""What files of a recording are called: in Chinese for whoever saves them, in ASCII for what knows no better."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from app.checks.models import Recording
from recordings.clips import Channel, Clip

MEDIA_TYPES: Final = {
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg; codecs=opus",
    ".mp3": "audio/mpeg",
}
SUFFIXES: Final = {"flac": ".flac", "wav": ".wav", "opus": ".ogg", "mp3": ".mp3"}
_SIDES: Final = {"both": "", "us": "-我方", "them": "-对方"}


def suffix_of(recording: Recording) -> str:
    """The suffix of a recording as it is kept."""
    return PurePosixPath(recording.path).suffix or ".flac"


def media_type(suffix: str) -> str:
    """The media type of a file with this suffix."""
    return MEDIA_TYPES.get(suffix, "application/octet-stream")


def disposition(kind: str, plain: str, title: str) -> str:
    """Return a Content-Disposition (RFC 6266); `plain` is ASCII without quotes, `title` any text."""
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(title, safe='')}"


def of_recording(recording: Recording, suffix: str, *, download: bool) -> str:
    """Return the Content-Disposition of a whole recording."""
    plain, title = _stems(recording)
    return disposition("attachment" if download else "inline", plain + suffix, title + suffix)


def of_clip(recording: Recording, clip: Clip, channel: Channel, suffix: str) -> str:
    """Return the Content-Disposition of a clip, which names its times within the recording."""
    plain, title = _stems(recording)
    times = f"{_clock(clip.start_ms)}-{_clock(clip.end_ms)}"
    return disposition(
        "attachment",
        f"{plain}-{clip.start_ms:.0f}-{clip.end_ms:.0f}ms-{channel}{suffix}",
        f"{title}-{times}{_SIDES[channel]}{suffix}",
    )


def _stems(recording: Recording) -> tuple[str, str]:
    if recording.attempt_id is None:
        return f"report-recording-{recording.id}", f"来电录音-{recording.id:06}"
    return f"check-recording-{recording.attempt_id}", f"抽查录音-{recording.attempt_id:06}"


def _clock(ms: float) -> str:
    """Minutes and seconds without a colon, which some file systems do not take: `01m02.345s`."""
    minutes, rest = divmod(round(ms), 60_000)
    return f"{minutes:02}m{rest / 1000:06.3f}s"
