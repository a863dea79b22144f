"""Prompts (提示语): sentences that are played into calls. They never commit: the caller's unit of work does.

An opening says who calls, that it is a spot check (抽查), that it is recorded, and that one may hang up and verify by
the published number. No prompt is played before a person who did not make it has approved it.
"""

from __future__ import annotations

import hashlib
import io
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.principal import whole_office
from app.database import make_private_folder
from app.errors import BadInputError, ConflictError, Fault, ForbiddenError, NotFoundError
from app.planning import repository
from app.planning.models import PROMPT_KINDS, Prompt

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RATE_HZ = 8000
MOST_BYTES = 8 * 2**20
"""Of an uploaded file: 20 s of 48 kHz stereo in 32 bits, and a little."""
MOST_S = 20.0
LATEST_ONSET_S = 0.5
"""An opening is to be heard within 1 s of the answer: its voice must begin at once."""
_FORMATS = frozenset({"WAV", "WAVEX", "FLAC"})
_RATES_HZ = (8000, 192_000)
_MOST_CHANNELS = 8
_HEARD = 0.01
"""Of full scale (-40 dBFS): what is softer is no speech."""
FOLDER = "prompts"
SHIPPED_BY = "dutyring"
"""Who made the shipped prompts; approving them is for a person."""
_SOUNDS = Path(__file__).parent / "sounds"


@dataclass(frozen=True, slots=True)
class Sound:
    """A prompt as it is kept: FLAC, 8 kHz, one channel, 16 bits."""

    flac: bytes
    sha256: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Shipped:
    """A prompt that comes with the program."""

    kind: str
    name: str
    words: str
    file: str


SHIPPED = (
    Shipped(
        "opening",
        "通用开场语",
        "您好，这里是总值班室，正在抽查值班电话，本次通话录音。您可以挂机，按总值班室公布的号码回拨核实。",
        "opening.flac",
    ),
    Shipped("closing", "通用结束语", "本次抽查到此结束，谢谢，再见。", "closing.flac"),
)


def read_sound(content: bytes, kind: str) -> Sound:
    """Return an uploaded WAV or FLAC file as it is kept.

    Raises `BadInputError` for what is no such file, lasts more than 20 s, is silent or, an opening, begins so.
    """
    samples = _decoded(content)
    if not len(samples):
        raise _bad("the file holds no sound")
    heard = abs(samples.astype("int32")) > _HEARD * 32767
    if not heard.any():
        raise _bad("the file is silent throughout")
    onset_s = float(heard.argmax()) / RATE_HZ
    if kind == "opening" and onset_s > LATEST_ONSET_S:
        raise _bad(
            f"the voice begins only after {onset_s:.1f} s; an opening begins within {LATEST_ONSET_S:g} s"
        )
    flac = _as_flac(samples)
    return Sound(flac, hashlib.sha256(flac).hexdigest(), len(samples) * 1000 / RATE_HZ)


def _bad(message: str) -> BadInputError:
    return BadInputError(f"the sound cannot be used: {message}", [Fault("body", message)])


def _decoded(content: bytes) -> npt.NDArray[np.int16]:
    """Return the file's sound as [n] int16 at 8 kHz, its channels mixed."""
    import numpy as np
    import soundfile
    import soxr

    if len(content) > MOST_BYTES:
        raise _bad(f"the file has more than {MOST_BYTES // 2**20} MiB")
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if file.format not in _FORMATS:
                raise _bad(f"it is {file.format}; it takes WAV or FLAC")
            if not _RATES_HZ[0] <= file.samplerate <= _RATES_HZ[1] or file.channels > _MOST_CHANNELS:
                raise _bad("it takes 8 to 192 kHz and at most 8 channels")
            if file.frames > MOST_S * file.samplerate:
                raise _bad(f"it lasts {file.frames / file.samplerate:.1f} s; it takes at most {MOST_S:g} s")
            sound = file.read(file.frames, dtype="float32", always_2d=True)
            rate_hz = file.samplerate
    except BadInputError:
        raise
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        raise _bad("it is no WAV or FLAC file that can be read") from error
    mono = np.clip(np.nan_to_num(sound), -1.0, 1.0).mean(axis=1, dtype=np.float32)
    if rate_hz != RATE_HZ:
        mono = soxr.resample(mono, rate_hz, RATE_HZ)
    samples: npt.NDArray[np.int16] = np.rint(np.clip(mono, -1.0, 1.0) * 32767).astype(np.int16)
    return samples


def _as_flac(samples: npt.NDArray[np.int16]) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE_HZ, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


async def add(
    session: AsyncSession, data_dir: Path, kind: str, name: str, words: str, content: bytes, who: str
) -> Prompt:
    """Keep a prompt, not yet approved. Raises `BadInputError` for a sound that cannot be used."""
    if kind not in PROMPT_KINDS:
        raise BadInputError(
            "a prompt is an opening or a closing", [Fault("kind", "takes opening or closing")]
        )
    sound = read_sound(content, kind)
    path = _keep(data_dir, sound)
    prompt = Prompt(
        kind=kind,
        name=name,
        words=words,
        path=path,
        sha256=sound.sha256,
        duration_ms=sound.duration_ms,
        created_at=clock.now(),
        created_by=who,
    )
    session.add(prompt)
    await session.flush()
    await audit.record(session, "prompt_add", f"prompt:{prompt.id}", f"{kind} {sound.sha256}", who)
    return prompt


def _keep(data_dir: Path, sound: Sound) -> str:
    """Write the sound where its hash names it; return the path inside the data folder."""
    make_private_folder(data_dir)
    make_private_folder(data_dir / FOLDER)
    path = data_dir / FOLDER / f"{sound.sha256}.flac"
    if not path.exists():
        draft = path.with_name(f".{sound.sha256}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_bytes(sound.flac)
        draft.replace(path)
    return f"{FOLDER}/{path.name}"


async def add_shipped(session: AsyncSession, data_dir: Path, who: str) -> list[Prompt]:
    """Enter those prompts that come with the program and are not there yet; a person must approve them still."""
    known = await repository.words_of(session, SHIPPED_BY)
    added = []
    for item in SHIPPED:
        if item.words in known:
            continue
        content = (_SOUNDS / item.file).read_bytes()
        prompt = await add(session, data_dir, item.kind, item.name, item.words, content, SHIPPED_BY)
        await audit.record(session, "prompt_ship", f"prompt:{prompt.id}", "", who)
        added.append(prompt)
    return added


async def approve(session: AsyncSession, prompt_id: int, who: str) -> Prompt:
    """Let a prompt be played into calls of every unit.

    Raises `ForbiddenError` for the person who made it and for an account for a part of the units, `ConflictError` for a
    retired one.
    """
    prompt = await get(session, prompt_id)
    whole_office()
    if prompt.retired_at is not None:
        raise ConflictError(f"prompt {prompt_id} is retired; enter it anew")
    if prompt.created_by == who:
        raise ForbiddenError(f"prompt {prompt_id} was made by {who}; somebody else must approve it")
    if prompt.approved_at is None:
        prompt.approved_at, prompt.approved_by = clock.now(), who
        await session.flush()
        await audit.record(session, "prompt_approve", f"prompt:{prompt_id}", prompt.sha256, who)
    return prompt


async def retire(session: AsyncSession, prompt_id: int, who: str) -> Prompt:
    """Take a prompt out of use, for every unit; calls that played it keep its hash. Raises `ForbiddenError`."""
    prompt = await get(session, prompt_id)
    whole_office()
    if prompt.retired_at is None:
        prompt.retired_at = clock.now()
        await session.flush()
        await audit.record(session, "prompt_retire", f"prompt:{prompt_id}", "", who)
    return prompt


async def get(session: AsyncSession, prompt_id: int) -> Prompt:
    """One prompt. Raises `NotFoundError`."""
    prompt = await repository.prompt(session, prompt_id)
    if prompt is None:
        raise NotFoundError(f"there is no prompt {prompt_id}")
    return prompt


def fault_of(prompt: Prompt | None, kind: str) -> str | None:
    """Say why a prompt cannot be played as this kind; None where it can."""
    if prompt is None:
        return "there is no such prompt"
    if prompt.kind != kind:
        return f"prompt {prompt.id} is a {prompt.kind}, no {kind}"
    if prompt.retired_at is not None:
        return f"prompt {prompt.id} is retired"
    if prompt.approved_at is None:
        return f"prompt {prompt.id} is not approved yet"
    return None
