"""What is said and waited for on the calls of an order: by its plan, else by the prompts that were approved last."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import SpotCheck
from app.planning import repository as planning
from app.planning.models import Prompt
from app.settings import Settings


class PromptError(RuntimeError):
    """A prompt that must be played cannot be: the call is not placed without it."""


@dataclass(frozen=True, slots=True)
class CallScript:
    """The script of a call. None: as the settings say."""

    opening: Prompt | None = None
    closing: Prompt | None = None
    max_ring_s: float | None = None
    max_talk_s: float | None = None
    trunk: str | None = None
    """Name of the trunk that is tried first."""

    @property
    def opening_sha256(self) -> str | None:
        """Of the opening that is to be played."""
        return None if self.opening is None else self.opening.sha256


async def script_of(session: AsyncSession, check: SpotCheck) -> CallScript:
    """Return the script of an order, which comes with its line and plan."""
    content: dict[str, Any] = (check.plan.content or {}) if check.plan is not None else {}
    if check.kind == "demo":
        return CallScript()
    return CallScript(
        await _prompt(session, "opening", content),
        await _prompt(session, "closing", content),
        content.get("max_ring_s"),
        content.get("max_talk_s"),
        content.get("trunk") or check.line.trunk,
    )


async def _prompt(session: AsyncSession, kind: str, content: dict[str, Any]) -> Prompt | None:
    """The prompt that the plan names; without a plan the one that was approved last, None where there is none."""
    chosen = content.get(f"{kind}_id")
    if chosen is not None:
        return await session.get(Prompt, chosen)
    return None if content else await planning.newest_prompt(session, kind)


class PromptShelf:
    """Finds the sound of prompts, and sees that it is the one that was approved."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.data_dir
        self._seen: dict[Path, tuple[int, int, str]] = {}

    async def path_of(self, prompt: Prompt | None) -> Path | None:
        """Return the sound file of a prompt. Raises `PromptError` where it is gone, was changed or is out of use."""
        if prompt is None:
            return None
        if prompt.approved_at is None:
            raise PromptError(f"prompt {prompt.id} has not been approved")
        if prompt.retired_at is not None:
            raise PromptError(f"prompt {prompt.id} was taken out of use")
        path = (self._root / prompt.path).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise PromptError(f"prompt {prompt.id} does not lie in the data folder")
        try:
            digest = await asyncio.to_thread(self._digest, path)
        except OSError as error:
            raise PromptError(f"prompt {prompt.id} cannot be read: {error.strerror}") from error
        if digest != prompt.sha256:
            raise PromptError(f"prompt {prompt.id} is not the sound that was approved")
        return path

    def _digest(self, path: Path) -> str:
        state = path.stat()
        known = self._seen.get(path)
        if known is not None and known[:2] == (state.st_mtime_ns, state.st_size):
            return known[2]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self._seen[path] = (state.st_mtime_ns, state.st_size, digest)
        return digest
