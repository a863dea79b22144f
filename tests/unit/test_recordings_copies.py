"""Peaks, clips and listening copies of a sound file."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import BinaryIO

import numpy as np
import psutil
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recordings.clips import ClipError, cut
from recordings.copies import CopyError, CopyMaker
from recordings.errors import RecordingError
from recordings.peaks import RATES, Peaks, PeaksError, measure

RATE_HZ = 8_000


def flac(samples: np.ndarray, rate: int = RATE_HZ) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def sweep(seconds: float, channels: int = 2) -> np.ndarray:
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    tones = [9_000 * np.sin(2 * np.pi * (300 + 170 * n) * time_s) for n in range(channels)]
    return np.stack(tones, axis=1).astype(np.int16)


SOUND = sweep(3.0)
FILE = flac(SOUND)


@settings(max_examples=25)
@example(np.zeros((276, 1), np.int16), 200, 11_025)
@given(
    arrays(np.int16, st.tuples(st.integers(1, 3_000), st.integers(1, 2))),
    st.sampled_from(RATES),
    st.sampled_from((8_000, 11_025, 44_100)),
)
def test_peaks_are_the_least_and_the_greatest_of_each_stretch(
    samples: np.ndarray, per_second: int, rate: int
) -> None:
    found = measure(io.BytesIO(flac(samples, rate))).coarser(per_second)
    assert found.duration_ms == pytest.approx(len(samples) * 1000 / rate)
    stretch = np.arange(len(samples)) * per_second // rate
    for at in range(found.columns.shape[1]):
        part = samples[stretch == at].astype(float)
        assert (found.columns[:, at, 0] == np.clip(np.rint(part.min(axis=0) / 256), -128, 127)).all()
        assert (found.columns[:, at, 1] == np.clip(np.rint(part.max(axis=0) / 256), -128, 127)).all()
    assert found.columns.shape[1] == stretch[-1] + 1


def test_peaks_are_kept_and_read_again() -> None:
    found = measure(io.BytesIO(FILE))
    again = Peaks.from_bytes(found.to_bytes())
    assert (again.columns == found.columns).all()
    told = again.coarser(50).to_json()
    assert told["per_second"] == 50
    assert list(told["channels"]) == ["us", "them"]  # type: ignore[call-overload]
    assert list(measure(io.BytesIO(flac(sweep(0.1, 1)))).to_json()["channels"]) == ["them"]  # type: ignore[call-overload]
    for broken in (b"", found.to_bytes()[:-1], b"x" + found.to_bytes(), found.to_bytes() + b"\0"):
        with pytest.raises(PeaksError):
            Peaks.from_bytes(broken)
    with pytest.raises(ValueError, match="is none of"):
        found.coarser(3)
    with pytest.raises(RecordingError):
        measure(io.BytesIO(b"no sound"))


@settings(max_examples=30)
@given(
    st.floats(0, 2_999.8), st.floats(0.2, 4_000), st.floats(0, 3_500), st.sampled_from(("both", "us", "them"))
)
def test_a_clip_is_exact_to_the_sample(
    from_ms: float, length_ms: float, lead_in_ms: float, channel: str
) -> None:
    clip = cut(io.BytesIO(FILE), from_ms, from_ms + length_ms, lead_in_ms, channel)  # type: ignore[arg-type]
    first = max(0, round((from_ms - lead_in_ms) * 8))
    last = min(len(SOUND), round((from_ms + length_ms) * 8))
    columns = {"both": slice(0, 2), "us": slice(0, 1), "them": slice(1, 2)}[channel]
    assert (clip.samples == SOUND[first:last, columns]).all()
    assert (clip.start_ms, clip.end_ms) == (first / 8, last / 8)
    again, rate = soundfile.read(io.BytesIO(clip.encode("wav")), dtype="int16", always_2d=True)
    assert rate == RATE_HZ
    assert (again == clip.samples).all()


def test_stretches_that_are_not_there() -> None:
    for bounds, where in (((5.0, 5.0), "to_ms"), ((9.0, 5.0), "to_ms"), ((3_000.0, 3_100.0), "from_ms")):
        with pytest.raises(ClipError) as caught:
            cut(io.BytesIO(FILE), *bounds)
        assert caught.value.where == where
    with pytest.raises(ClipError) as caught:
        cut(io.BytesIO(flac(sweep(1.0, 1))), 0, 100, channel="them")
    assert caught.value.where == "channel"
    with pytest.raises(RecordingError):
        cut(io.BytesIO(b"no sound"), 0, 100)


class Failing(io.BytesIO):
    """A file that goes wrong after its first bytes, as an encrypted one does that was changed."""

    def read(self, length: int | None = -1) -> bytes:
        if self.tell() > 4_000:
            raise RecordingError("objects/x", "chunk 2 was changed")
        return super().read(length)

    readinto = None  # type: ignore[assignment]


def test_what_is_longer_than_half_an_hour_is_no_clip() -> None:
    silence = flac(np.zeros((1_802 * 8_000, 1), np.int16))
    with pytest.raises(ClipError, match="take the whole recording"):
        cut(io.BytesIO(silence), 0, 1_801_000)
    assert cut(io.BytesIO(silence), 1_800_000, 1_801_000).start_ms == 1_800_000


def test_what_goes_wrong_in_reading_is_told() -> None:
    noise = flac(np.random.default_rng(1).integers(-9_000, 9_000, (40_000, 2)).astype(np.int16))
    with pytest.raises(RecordingError, match="chunk 2"):
        measure(Failing(noise))
    with pytest.raises(RecordingError, match="chunk 2"):
        cut(Failing(noise), 4_000, 4_900)


@pytest.mark.parametrize(
    ("kind", "format_", "subtype"), [("opus", "OGG", "OPUS"), ("mp3", "MP3", "MPEG_LAYER_III")]
)
async def test_a_copy_sounds_like_the_original_and_is_the_same_each_time(
    kind: str, format_: str, subtype: str
) -> None:
    maker = CopyMaker()
    first, second = await asyncio.gather(*(maker.convert(lambda: io.BytesIO(FILE), kind) for _ in range(2)))  # type: ignore[arg-type]
    assert first == second
    with soundfile.SoundFile(io.BytesIO(first)) as file:
        assert (file.format, file.subtype, file.channels) == (format_, subtype, 2)
        sound = file.read()
        rate = file.samplerate
    assert len(sound) / rate == pytest.approx(3.0, abs=0.2)
    for channel, hz in enumerate((300, 470)):
        spectrum = np.abs(np.fft.rfft(sound[:, channel]))
        assert np.argmax(spectrum) * rate / len(sound) == pytest.approx(hz, abs=3)


async def test_ten_at_once_share_the_work() -> None:
    maker, done = CopyMaker(), []

    async def work() -> bytes:
        done.append(1)
        await asyncio.sleep(0.01)
        return b"copy"

    assert await asyncio.gather(*(maker.once("a", work) for _ in range(10))) == [b"copy"] * 10
    assert len(done) == 1
    assert await maker.once("a", work) == b"copy"
    assert len(done) == 2


class Stuck(io.BytesIO):
    """A source that gives nothing until it is let go."""

    def __init__(self, go: threading.Event) -> None:
        super().__init__(b"")
        self._go = go

    def read(self, length: int | None = -1) -> bytes:
        self._go.wait(30)
        return b""


def converters() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if _converts(child)]


def _converts(child: psutil.Process) -> bool:
    try:
        return any("copy_process" in part for part in child.cmdline())
    except psutil.NoSuchProcess:
        # It went in between; one that nobody has waited for yet has no command line either.
        return False


async def until_converting() -> None:
    while not converters():
        await asyncio.sleep(0.01)


async def test_the_process_goes_when_the_last_who_waits_is_gone() -> None:
    go = threading.Event()
    maker = CopyMaker()
    try:
        source = Stuck(go)

        async def work() -> bytes:
            return await maker.convert(lambda: source, "mp3")

        waiting = [asyncio.ensure_future(maker.once("a", work)) for _ in range(2)]
        await until_converting()
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert len(converters()) == 1
        waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        while converters():
            await asyncio.sleep(0.01)
    finally:
        go.set()
        await maker.close()


async def test_closing_ends_what_is_under_way_and_waits_for_its_process() -> None:
    go = threading.Event()
    try:
        maker = CopyMaker()
        waiting = asyncio.ensure_future(maker.once("a", lambda: maker.convert(lambda: Stuck(go), "mp3")))
        await until_converting()
        process = converters()[0]
        await maker.close()
        # Not even a zombie is left: it was waited for.
        assert not psutil.pid_exists(process.pid)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await maker.close()
    finally:
        go.set()


async def test_time_is_limited() -> None:
    go = threading.Event()
    try:
        with pytest.raises(CopyError, match="more than"):
            await CopyMaker(timeout_s=0.2).convert(lambda: Stuck(go), "mp3")
        assert converters() == []
    finally:
        go.set()


async def test_two_at_one_time() -> None:
    go = threading.Event()
    try:
        maker = CopyMaker(at_once=2)
        opened: list[int] = []

        def source() -> BinaryIO:
            opened.append(1)
            return Stuck(go)

        waiting = [asyncio.ensure_future(maker.convert(source, "mp3")) for _ in range(5)]
        while len(opened) < 2:
            await asyncio.sleep(0.01)
        assert len(converters()) == 2
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert len(opened) == 2
        assert converters() == []
    finally:
        go.set()


async def test_what_cannot_be_converted_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CopyError):
        await CopyMaker().convert(lambda: io.BytesIO(b"no sound"), "opus")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/bin/false")
    with pytest.raises(CopyError):
        await CopyMaker().convert(lambda: io.BytesIO(FILE), "opus")
