"""Transcripts as people may see them: numbers of superior duty offices are masked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from app.answers.masking import mask


def masked(content: Mapping[str, Any] | None, keys: Collection[str]) -> dict[str, Any]:
    """Return what was said by channel, every answer key masked.

    The words of an utterance in which something is masked are left out: together they would spell it.
    """
    return {name: _channel(channel, keys) for name, channel in (content or {}).items()}


def _channel(channel: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    utterances = channel.get("utterances") or ()
    return {**channel, "utterances": [masked_utterance(item, keys) for item in utterances]}


def masked_utterance(item: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Return one utterance, masked."""
    text = mask(item["text"], keys)
    if text == item["text"]:
        return dict(item)
    return {**item, "text": text, **({"words": []} if "words" in item else {})}
