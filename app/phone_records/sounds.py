"""Sound files that people bring: received bounded, decoded once to see that they are sound, made fit for the archive.

WAV and FLAC of one or two channels are kept byte for byte. Everything else (MP3, Ogg, M4A, more channels) is decoded by
the ffmpeg of `imageio-ffmpeg` and kept as FLAC; the SHA-256 of the file that was brought is told beside it. ffmpeg is
told which format to read by the file's first bytes, so that no playlist or container of links is ever followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile

from app.api.guard import MOST_FILE_BYTES
from app.errors import BadInputError, Fault

MOST_BYTES = MOST_FILE_BYTES
LONGEST_S = 2 * 3600
LEAST_MS = 100.0
CONVERT_S = 300.0
"""After this ffmpeg is ended: two hours take some 20 s."""
FOLDER = "incoming"
LEFT_BEHIND_S = 24 * 3600
"""No sound takes as long to come."""
_FILTER = "aformat=sample_fmts=s16:sample_rates=8000|16000|22050|24000|32000|44100|48000:channel_layouts=mono|stereo"
MEDIA_TYPES = ("audio/wav", "audio/flac", "audio/mpeg", "audio/ogg", "audio/mp4", "application/octet-stream")
KINDS_ZH = "WAV、FLAC、MP3、Ogg、M4A"
_CHANNELS = (1, 2)


@dataclass(frozen=True, slots=True)
class Sound:
    """A file that was brought, and what is to be kept of it."""

    path: Path
    """To be kept; ends in `.wav` or `.flac`."""
    kind: str
    """Of the file that was brought: `wav`, `flac`, `mp3`, `ogg` or `mov`, as ffmpeg names them."""
    sha256: str
    """Of the file that was brought."""
    size: int
    kept_sha256: str
    """Of what is to be kept; the same unless it was converted."""

    @property
    def converted(self) -> bool:
        """Whether what is kept is another file than was brought."""
        return self.path.stem == "converted"


@asynccontextmanager
async def received(data_dir: Path, chunks: AsyncIterator[bytes]) -> AsyncIterator[Sound]:
    """Receive a sound; its files are gone afterwards. Raises `BadInputError` that says what is wrong with it."""
    with _folder(data_dir) as folder:
        brought = folder / "brought"
        sha256, size, head = await _write(brought, chunks)
        kind = kind_of(head)
        if kind is None:
            raise _bad(
                f"须为 {KINDS_ZH} 录音文件 (no sound file of a kind that is taken)",
                "is no sound file",
            )
        path = await asyncio.to_thread(_as_it_is, brought, kind)
        if path is None:
            path = folder / "converted.flac"
            await _convert(brought, kind, path)
        yield Sound(path, kind, sha256, size, await asyncio.to_thread(_check, path))


def kind_of(head: bytes) -> str | None:
    """Return the format of a file, as ffmpeg names it, by its first 16 bytes; None for any that is not taken."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[4:8] == b"ftyp":
        return "mov"
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        # MPEG audio: eleven bits set, layer III.
        return "mp3"
    return {b"fLaC": "flac", b"OggS": "ogg"}.get(head[:4])


def _bad(detail: str, message: str) -> BadInputError:
    return BadInputError(detail, [Fault("body", message)])


def tidy(data_dir: Path) -> None:
    """Delete what a process that was killed left of a sound: it lies there as it was brought, not encrypted."""
    oldest_s = time.time() - LEFT_BEHIND_S
    for folder in (data_dir / FOLDER).glob("*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < oldest_s:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _folder(data_dir: Path) -> Iterator[Path]:
    parent = data_dir / FOLDER
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{secrets.token_hex(4)}-", dir=parent) as name:
        yield Path(name)


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> tuple[str, int, bytes]:
    digest, size, head = hashlib.sha256(), 0, b""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > MOST_BYTES:
                raise _bad(f"录音文件不得超过 {MOST_BYTES // 2**20} MB (too large)", "is too large")
            head = head if len(head) >= 16 else (head + chunk)[:16]
            digest.update(chunk)
            file.write(chunk)
    if not size:
        raise _bad("录音文件为空 (the body is empty)", "is empty")
    return digest.hexdigest(), size, head


def _as_it_is(brought: Path, kind: str) -> Path | None:
    """The file under the name that the archive wants, where it can be kept as it is."""
    if kind not in ("wav", "flac"):
        return None
    try:
        with soundfile.SoundFile(brought) as sound:
            if sound.channels not in _CHANNELS or not sound.frames:
                return None
            # Its end too: what cannot be read to the last sample is left to ffmpeg.
            while len(sound.read(2**20, dtype="int16")):
                pass
    except (soundfile.LibsndfileError, ValueError, RuntimeError):
        return None
    path = brought.with_name(f"sound.{kind}")
    brought.rename(path)
    return path


async def _convert(source: Path, kind: str, target: Path) -> None:
    """Decode to FLAC of 16 bits. Raises `BadInputError` for what cannot be decoded, or takes too long."""
    from imageio_ffmpeg import get_ffmpeg_exe

    process = await asyncio.create_subprocess_exec(
        await asyncio.to_thread(get_ffmpeg_exe),
        *("-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file"),
        *("-f", kind, "-i", str(source), "-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1"),
        *("-t", str(LONGEST_S + 1), "-af", _FILTER, "-f", "flac", str(target)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": ""},
    )
    try:
        async with asyncio.timeout(CONVERT_S):
            status = await process.wait()
    except TimeoutError:
        status = -1
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if status:
        raise _bad("录音文件已损坏，无法解码 (the sound cannot be decoded)", "cannot be decoded")


def _check(path: Path) -> str:
    """Return the SHA-256 of a sound of a fit length."""
    try:
        with soundfile.SoundFile(path) as sound:
            length_ms = sound.frames * 1000 / sound.samplerate
    except (soundfile.LibsndfileError, ValueError, RuntimeError) as error:
        raise _bad("录音文件已损坏，无法解码 (the sound cannot be decoded)", "cannot be decoded") from error
    if length_ms < LEAST_MS:
        raise _bad("录音中没有声音 (there is no sound in it)", "has no sound in it")
    if length_ms > LONGEST_S * 1000:
        raise _bad(f"录音不得超过 {LONGEST_S // 3600} 小时 (too long)", "is too long")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
