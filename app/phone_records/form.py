"""What stands in a phone record (电话记录单) and how it is frozen. Pure.

The fields are those of the sample form that is annex 2 of the 固原 duty room standard. What a machine filled is marked
beside the field, with the moment in the sound, until a person has written or checked the field.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Literal

SCHEMA = "dutyring.phone-record/1"
Field = Literal["office", "day", "unit", "person", "number", "recorder", "phone", "opinion", "content"]
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "office": "值班室",
        "day": "日期",
        "unit": "来电单位",
        "person": "来电人",
        "number": "来电号码",
        "recorder": "记录人",
        "phone": "联系电话",
        "opinion": "拟办意见",
        "content": "电话内容",
    }
)
MOST_SIGNS: Mapping[str, int] = MappingProxyType(
    {
        "office": 120,
        "day": 10,
        "unit": 120,
        "person": 80,
        "number": 40,
        "recorder": 80,
        "phone": 40,
        "opinion": 4_000,
        "content": 60_000,
    }
)
HEARD: tuple[Field, ...] = ("unit", "person", "number", "phone", "content")
"""What may be filled from the sound. 拟办意见 never is: that is a person's."""
UNCHECKED = "机器填写，未核对"
UNSIGNED = "未签"
WITHDRAWN = "（内容已封存）"

Content = dict[str, Any]


def new_content(
    fields: Mapping[str, str], called_at: datetime, origin: Mapping[str, Any] | None = None
) -> Content:
    """The first version of a form. `origin`: the sound file or call back that it was begun with."""
    return {
        "schema": SCHEMA,
        "called_at": called_at.isoformat(),
        "fields": {name: fields.get(name, "") for name in LABELS},
        "machine": {},
        "origin": dict(origin or {}),
        "transcription_id": None,
        "withdrawn": False,
    }


def written(content: Content, fields: Mapping[str, str], checked: Iterable[str]) -> Content:
    """A further version: a person wrote these fields and checked those; the machine's marks on them are gone."""
    made = deepcopy(content)
    made["fields"].update(fields)
    for name in (*fields, *checked):
        made["machine"].pop(name, None)
    return made


def filled(content: Content, heard: Mapping[str, Mapping[str, Any]], transcription_id: int) -> Content:
    """A further version: what was heard stands in the fields that nobody wrote or checked.

    `heard` has for a field its `value`, and `start_ms`, `end_ms` and `heard`, which are kept beside it.
    """
    made = deepcopy(content)
    for name, found in heard.items():
        if name in HEARD and (name in made["machine"] or not made["fields"][name]):
            made["fields"][name] = str(found["value"])[: MOST_SIGNS[name]]
            made["machine"][name] = {key: value for key, value in found.items() if key != "value"}
    made["transcription_id"] = transcription_id
    return made


def withdrawn(content: Content, *, signed: bool) -> Content:
    """What is left of a version when its sound is withdrawn (封存): no words of the call.

    Of a signed one the caller stays, whom a person has vouched for; its hash no longer follows from what is left.
    """
    made = deepcopy(content)
    made["fields"]["content"] = ""
    if not signed:
        for name in made["machine"]:
            made["fields"][name] = ""
    made["machine"] = {}
    made["withdrawn"] = True
    return made


def unchecked(content: Content) -> tuple[str, ...]:
    """The fields that a machine filled and nobody has looked at."""
    return tuple(name for name in LABELS if name in content["machine"])


def canonical(number: str, version: int, content: Content) -> bytes:
    """What is hashed when a form is signed: one JSON text for one content, UTF-8, members in order."""
    told = {"number": number, "version": version, "content": content}
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(number: str, version: int, content: Content) -> str:
    """The SHA-256 that a signed form is known by."""
    return hashlib.sha256(canonical(number, version, content)).hexdigest()


def day_zh(text: str) -> str:
    """`2026-11-22` as 2026年11月22日; blanks to write in where it is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return "　　年　　月　　日"
    return f"{day.year}年{day.month}月{day.day}日"


def moment_zh(at: datetime) -> str:
    """A local moment as 2026年11月22日20时27分."""
    return f"{at.year}年{at.month}月{at.day}日{at.hour}时{at.minute:02}分"


def heading(office: str) -> str:
    """The form's title: XXX人民政府值班室电话记录单."""
    return f"{office or '　　　　　　人民政府值班室'}电话记录单"
