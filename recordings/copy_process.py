"""A program of its own: reads a sound file on standard input, writes it as Ogg Opus or MP3 to standard output.

Run by `recordings.copies` by its path, so that nothing of the product is loaded. It stands apart because pydub waits
for ffmpeg without any limit: whoever started this can end both at once.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Any, Final

NICE: Final = 10
"""Calls in progress come first."""
SETTINGS: Final[dict[str, dict[str, str]]] = {
    "opus": {"format": "ogg", "codec": "libopus", "bitrate": "32k"},
    "mp3": {"format": "mp3", "codec": "libmp3lame", "bitrate": "64k"},
}
BIT_EXACT: Final = ["-threads", "1", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
"""The same sound gives the same bytes, whoever makes the copy and however often."""


def segment_class() -> Any:
    """Return pydub's class, set on the ffmpeg of imageio-ffmpeg; it looks for no other and says nothing of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from imageio_ffmpeg import get_ffmpeg_exe
        from pydub import AudioSegment
    AudioSegment.converter = get_ffmpeg_exe()
    return AudioSegment


def convert(sound: bytes, kind: str) -> bytes:
    """Return a sound file as `opus` or `mp3`."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(sound), dtype="int16", always_2d=True)
    segment = segment_class()(samples.tobytes(), sample_width=2, frame_rate=rate, channels=samples.shape[1])
    target = io.BytesIO()
    segment.export(target, parameters=BIT_EXACT, **SETTINGS[kind])
    return target.getvalue()


def main() -> None:
    """Convert standard input to the kind that is named by the only argument."""
    os.nice(NICE)
    found = convert(sys.stdin.buffer.read(), sys.argv[1])
    sys.stdout.buffer.write(found)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
