"""The file in which offices share their samples: `dutyring.samples/1`, prints and words but no sound."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.samples.models import AnnouncementSample
from sip.progress.fingerprint import VERSION
from sip.progress.marking import check_prints
from sip.progress.samples import LONGEST_S, MEANINGS
from sip.progress.stretches import PhasePrint, phases_from_bytes

SCHEMA = "dutyring.samples/1"
LABEL_LENGTH, TRUNK_LENGTH = 120, 64
LARGEST_FILE = 64 << 20
"""Bytes of a file of samples; a second of an announcement takes some 600."""


class SampleFileError(ValueError):
    """The file cannot be read as samples; the text names the place."""


class SampleEntry(BaseModel):
    """One sample of the file."""

    model_config = ConfigDict(extra="forbid")

    meaning: str
    label: str = Field(min_length=1, max_length=LABEL_LENGTH)
    mobile: bool = False
    version: int
    length_ms: float = Field(gt=0, le=LONGEST_S * 1000)
    prints: str
    """As they are stored, in base 64."""
    source: str = Field(default="", max_length=1_000)

    @field_validator("meaning")
    @classmethod
    def _known(cls, meaning: str) -> str:
        if meaning not in MEANINGS:
            raise ValueError(f"{meaning!r} is none; it takes one of {', '.join(MEANINGS)}")
        return meaning

    @field_validator("label")
    @classmethod
    def _one_line(cls, label: str) -> str:
        if not label.isprintable() or not label.strip():
            raise ValueError("it takes printable characters, and not blanks alone")
        return label

    @field_validator("version")
    @classmethod
    def _of_ours(cls, version: int) -> int:
        if version != VERSION:
            raise ValueError(f"prints of version {version} cannot be compared with ours, {VERSION}")
        return version

    @field_validator("prints")
    @classmethod
    def _readable(cls, prints: str) -> str:
        _phases(prints)
        return prints

    @model_validator(mode="after")
    def _as_marked(self) -> Self:
        check_prints(self.phases, self.length_ms)
        return self

    @property
    def phases(self) -> tuple[PhasePrint, ...]:
        """The prints."""
        return _phases(self.prints)


class SampleFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: Literal["dutyring.samples/1"] = Field(alias="schema")
    samples: list[SampleEntry] = Field(max_length=10_000)


def write_file(rows: list[AnnouncementSample]) -> str:
    """Return the file of some samples. Where they were cut from is an office's own business: it stays out."""
    entries = [
        {
            "meaning": row.meaning,
            "label": row.label,
            "mobile": row.mobile,
            "version": row.version,
            "length_ms": row.length_ms,
            "prints": base64.b64encode(row.prints).decode(),
        }
        for row in rows
    ]
    return json.dumps({"schema": SCHEMA, "samples": entries}, ensure_ascii=False, indent=1) + "\n"


def read_file(content: bytes) -> list[SampleEntry]:
    """Read a file of samples. Raises `SampleFileError` that names what is wrong, and where."""
    if len(content) > LARGEST_FILE:
        raise SampleFileError(f"the file: it takes at most {LARGEST_FILE >> 20} MB")
    try:
        return SampleFile.model_validate_json(content.decode("utf-8")).samples
    except UnicodeDecodeError:
        raise SampleFileError("the file: it is no UTF-8 text") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise SampleFileError(
            f"{place.removeprefix('.') or 'the file'}: {first['msg'].removeprefix('Value error, ')}"
        ) from None


def _phases(prints: str) -> tuple[PhasePrint, ...]:
    try:
        return phases_from_bytes(base64.b64decode(prints, validate=True))
    except binascii.Error:
        raise ValueError("the prints are no base 64") from None
