"""The format of rule sets, `dutyring.rules/1`: clauses with their exact words, and whom they bind when.

A set holds clauses only. Points, caps, bands and limits are an office's own (本单位自定): they are given when a set is
put in force, see `app.rules.own`.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.api.text import Day, Long, Name, Short, Title, Words
from app.directory.models import DUTY_REGIMES, LEADER_REGIMES, LINE_KINDS, UNIT_CATEGORIES
from app.errors import BadInputError, Fault
from app.planning.models import DAY_KINDS
from app.rules.codes import SUPPORTED

SCHEMA = "dutyring.rules/1"
LARGEST_FILE = 256 * 1024
"""Bytes of a TOML file; a whole regulation with every clause is a tenth of it."""
MOST_CLAUSES = 200
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Mark = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
Finding = Annotated[str, Field(json_schema_extra={"enum": sorted(SUPPORTED)})]
_KINDS: dict[str, tuple[str, ...]] = {
    "findings": tuple(SUPPORTED),
    "applies": UNIT_CATEGORIES,
    "reference": UNIT_CATEGORIES,
    "days": DAY_KINDS,
    "duty_regimes": DUTY_REGIMES,
    "leader_regimes": LEADER_REGIMES,
    "lines": LINE_KINDS,
}
Few = Annotated[tuple[str, ...], Field(max_length=20)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(_Part):
    """A regulation, notice or bulletin that clauses are taken from."""

    id: Mark
    title: Title
    """With 《》, as a table cites it."""
    number: Short = ""
    """发文字号; empty where the text names none."""
    issuer: Short = ""
    issued: Day | None = None
    note: Long = ""

    @property
    def citation(self) -> str:
        """Title and number as a table prints them."""
        return f"{self.title}（{self.number}）" if self.number else self.title


class Clause(_Part):
    """Words of a document, the findings that they support, and whom they bind when. What is empty narrows nothing."""

    id: Mark
    document: Mark | None = None
    """None: a clause of the office's own document, whose words are given when the set is put in force."""
    article: Name | None = None
    words: Words | None = None
    """Exactly as the document has them."""
    kind: Literal["norm", "check_item", "named_problem", "background"] = "norm"
    """An article that obliges; an item of an inspection form; a problem that a bulletin names units for; or background,
    which supports no finding."""
    findings: Few = ()
    bans_all_forwarding: bool = False
    """Forwarding to whatever number is banned; else only forwarding to a mobile is a finding."""
    applies: Few = ()
    """Categories of units that it binds (适用)."""
    reference: Few = ()
    """Categories that are to follow it by reference (参照)."""
    days: Few = ()
    """Kinds of day on which it holds; empty: every day."""
    sensitive: bool = False
    """It holds in a 特殊敏感期, whatever kind of day that is; with no `days`, only then."""
    duty_regimes: Few = ()
    leader_regimes: Few = ()
    lines: Few = ()
    """Kinds of line; empty: every line that is called."""
    note: Long = ""
    """Why it is read so."""

    @model_validator(mode="after")
    def _known_words(self) -> Self:
        for name, known in _KINDS.items():
            for word in getattr(self, name):
                if word not in known:
                    raise ValueError(f"{name}: there is no {word!r}; it takes {', '.join(known)}")
        if set(self.applies) & set(self.reference):
            raise ValueError("a category is bound (applies) or follows by reference, not both")
        if self.kind == "background" and self.findings:
            raise ValueError("background supports no finding")
        if (self.document is None) != (self.words is None) or (self.words is None) != (self.article is None):
            raise ValueError("document, article and words belong together; without them the words are local")
        if self.bans_all_forwarding and "forwarded" not in self.findings:
            raise ValueError("bans_all_forwarding belongs to a clause that supports forwarded")
        return self


class RuleSet(_Part):
    """One version of a rule set."""

    dutyring: Literal["dutyring.rules/1"] = Field(alias="schema")
    key: Key
    version: Version
    title: Title
    note: Long = ""
    documents: Annotated[tuple[Document, ...], Field(max_length=20)] = ()
    clauses: Annotated[tuple[Clause, ...], Field(max_length=MOST_CLAUSES)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, marks in (
            ("documents", [item.id for item in self.documents]),
            ("clauses", [item.id for item in self.clauses]),
        ):
            twice = sorted({mark for mark in marks if marks.count(mark) > 1})
            if twice:
                raise ValueError(f"{name}: {', '.join(twice)} stands there more than once")
        known = {item.id for item in self.documents}
        for clause in self.clauses:
            if clause.document is not None and clause.document not in known:
                raise ValueError(f"clause {clause.id}: there is no document {clause.document!r}")
        return self

    def document(self, mark: str) -> Document:
        """One document by its id."""
        return next(item for item in self.documents if item.id == mark)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; `parse` reads it back. What is left at its default is left out.

        A member that a later version adds thus changes no set, and no SHA-256, that was stored before.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON: the version that nobody can mistake."""
        return hashlib.sha256(canonical(self.to_json())).hexdigest()


def canonical(content: dict[str, Any]) -> bytes:
    """Return the one way to write this JSON: keys in order, no spaces, UTF-8."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse(content: Any) -> RuleSet:
    """Read a rule set from plain JSON. Raises `BadInputError` that names each member that is wrong."""
    try:
        return RuleSet.model_validate(content)
    except ValidationError as error:
        raise BadInputError("this is no rule set: " + _sentence(error), faults(error)) from error


def parse_toml(text: str) -> RuleSet:
    """Read a rule set from TOML. Raises `BadInputError` that says what is wrong and where."""
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_FILE:
        raise BadInputError(f"a rule set takes at most {LARGEST_FILE // 1024} kB")
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BadInputError(f"this is no TOML: {reason}", [Fault("body", reason)]) from error
    return parse(_plain(content))


def faults(error: ValidationError) -> list[Fault]:
    """Return what a validation found, each with its member."""
    return [
        Fault(
            _clean(".".join(str(part) for part in item["loc"])) or "body",
            _clean(item["msg"].removeprefix("Value error, ")),
        )
        for item in error.errors(include_input=False, include_url=False, include_context=False)[:20]
    ]


def _clean(text: str) -> str:
    """A member may be named by half a character; an answer is UTF-8."""
    return text.encode("utf-8", "replace").decode()[:300]


def _sentence(error: ValidationError) -> str:
    return "; ".join(f"{fault.where}: {fault.message}" for fault in faults(error)[:3])


def _plain(value: Any) -> Any:
    """TOML has days and moments of its own; they are written as JSON has them."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
