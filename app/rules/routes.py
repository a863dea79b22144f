"""Routes of rule sets: what there is, what is in force, and what other rules would have said."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Depends, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from app import clock
from app.api.actor import Actor
from app.api.paging import After, Limit, Page, cut, pack, unpack
from app.api.text import Moment
from app.checks import recompute, trunk_music
from app.checks.rules import rules_of
from app.database import Database
from app.errors import BadInputError, Fault
from app.rules import library, repository, service
from app.rules.force import CONVERSION, RulesInForce
from app.rules.format import LARGEST_FILE, RuleSet, parse, parse_toml
from app.rules.models import RuleActivation, StoredRuleSet
from app.rules.schemas import (
    ActivateIn,
    ActivationOut,
    CompareIn,
    ComparisonOut,
    CorrectIn,
    CorrectionOut,
    CorrectionsOut,
    DifferenceOut,
    InForceOut,
    RuleSetDetail,
    RuleSetOut,
    SetName,
)
from app.settings import Settings

_KNOWN: dict[int | str, dict[str, Any]] = {
    200: {"model": RuleSetDetail, "description": "It was stored already"}
}
router = APIRouter(prefix="/api/v1", tags=["rules"])
Named = Annotated[SetName, Path(description="Key of a set, or the first twelve signs or more of its SHA-256")]
_TOML: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/toml": {"schema": {"type": "string"}}}}
}


def _service(request: Request) -> tuple[Database, Settings]:
    return request.app.state.database, request.app.state.settings


Service = Annotated[tuple[Database, Settings], Depends(_service)]


@router.get("/rule-sets", operation_id="list_rule_sets")
async def list_sets(given: Service, after: After = None, limit: Limit = 50) -> Page[RuleSetOut]:
    """Every rule set, shipped and stored, by key."""
    place = None if after is None else cast(tuple[str, str], unpack(after, str, str))
    async with given[0].reading() as session:
        rows = await repository.sets(session, place, limit + 1)
    stored = {row.sha256: row for row in rows}
    shipped = {
        rules.sha256: rules
        for rules in library.shipped()
        if place is None or (rules.key, rules.sha256) > place
    }
    every = [_set(rules, stored.get(sha)) for sha, rules in shipped.items()]
    every += [_set(parse(row.content), row) for sha, row in stored.items() if sha not in shipped]
    found, end = cut(sorted(every, key=lambda item: (item.key, item.sha256))[: limit + 1], limit)
    return Page(items=list(found), next=None if end is None else pack(end.key, end.sha256))


@router.get("/rule-sets/{name}", operation_id="show_rule_set")
async def show_set(given: Service, name: Named) -> RuleSetDetail:
    """One set with its clauses, their exact words, and whom they bind when."""
    async with given[0].reading() as session:
        rules = await service.find(session, name)
        row = await repository.by_sha256(session, rules.sha256)
    return RuleSetDetail(**_set(rules, row).model_dump(), content=rules)


@router.post("/rule-sets", status_code=201, operation_id="add_rule_set", responses=_KNOWN)
async def add_set(given: Service, body: RuleSet, response: Response, who: Actor) -> RuleSetDetail:
    """Store a set, given as JSON. What is stored already is answered with 200."""
    return await _added(given[0], body, response, who)


@router.post(
    "/rule-sets/toml",
    status_code=201,
    operation_id="add_rule_set_as_toml",
    openapi_extra=_TOML,
    responses=_KNOWN,
)
async def add_toml(given: Service, request: Request, response: Response, who: Actor) -> RuleSetDetail:
    """Store a set, given as TOML (256 kB at most). What is stored already is answered with 200."""
    return await _added(given[0], await _posted(request), response, who)


@router.post("/rule-sets/{name}/activate", status_code=201, operation_id="activate_rule_set")
async def activate(given: Service, name: Named, body: ActivateIn, who: Actor) -> ActivationOut:
    """Put a set in force by a local document, with the office's own points, caps, bands and limits."""
    database, settings = given
    async with database.unit_of_work() as session:
        rules = await service.find(session, name)
        row = await service.activate(
            session, rules, body.document, body.own, who, limits=rules_of(settings), from_at=body.from_at
        )
        return _activation(row)


@router.get("/rules/activations", operation_id="list_activations")
async def list_activations(given: Service, after: After = None, limit: Limit = 50) -> Page[ActivationOut]:
    """What was put in force when, by whom and by which document; what holds last first."""
    place = None if after is None else cast(tuple[datetime, int], unpack(after, datetime, int))
    async with given[0].reading() as session:
        rows = await repository.activations(session, place, limit + 1)
    found, end = cut(rows, limit)
    return Page(
        items=[_activation(row) for row in found], next=None if end is None else pack(end.from_at, end.id)
    )


@router.get("/rules/in-force", operation_id="rules_in_force")
async def in_force(given: Service, at: Moment | None = None) -> InForceOut:
    """What orders called at a moment are judged by; now unless given."""
    database, settings = given
    moment = at or clock.now()
    async with database.reading() as session:
        row = await repository.activation_at(session, moment)
        rules = await service.in_force(session, moment)
        stored = await repository.by_sha256(session, rules.rules.sha256)
    limits = rules.limits(rules_of(settings))
    return InForceOut(
        at=moment,
        activation=None if row is None else _activation(row),
        label=rules.label(rules_of(settings)),
        limits={
            "within_s": limits.within_s,
            "limit_s": limits.limit_s,
            "finding_s": limits.finding_s,
            "least_ring_s": limits.least_ring_s,
            "basis": CONVERSION,
        },
        rules=_set(rules.rules, stored),
    )


@router.post("/rules/compare", operation_id="compare_rules")
async def compare(given: Service, body: Annotated[CompareIn, Body()], who: Actor) -> ComparisonOut:
    """Judge closed orders of a period by another set, to compare. No case is touched; what holds keeps holding."""
    database, settings = given
    body.own.limits.applied_to(rules_of(settings))
    place = None if body.after is None else cast(tuple[datetime, int], unpack(body.after, datetime, int))
    asked = recompute.Asked(
        first=datetime.combine(body.first, time(), settings.zone),
        until=datetime.combine(body.last + timedelta(days=1), time(), settings.zone),
        unit_id=body.unit,
        after=place,
        limit=body.limit,
    )
    async with database.reading() as session:
        rules = await service.find(session, body.rule_set)
        force = RulesInForce(rules, body.own, body.document or recompute.FOR_COMPARISON)
        told = await recompute.compare(session, force, asked, settings)
    async with database.unit_of_work() as session:
        await recompute.keep(session, told)
        await service.note_comparison(session, told.label, told.compared, who)
    return ComparisonOut(
        label=told.label,
        compared=told.compared,
        unjudged=told.unjudged,
        changes=told.changes,
        differences=[DifferenceOut.model_validate(item) for item in told.differences],
        next=None if told.next is None else pack(*told.next),
    )


@router.get("/rules/trunk-music", operation_id="list_trunk_music")
async def list_trunk_music(given: Service) -> CorrectionsOut:
    """Orders whose 彩铃 turned out to be our own trunk's music, offered for correction."""
    database, settings = given
    async with database.reading() as session:
        found = await trunk_music.corrections(session, settings)
    return CorrectionsOut(items=[CorrectionOut.model_validate(item) for item in found])


@router.post("/rules/trunk-music/correct", operation_id="correct_trunk_music")
async def correct_trunk_music(given: Service, body: CorrectIn, who: Actor) -> CorrectionsOut:
    """Judge these orders anew with that knowledge, and revoke the cases that nobody has confirmed yet as our fault."""
    database, settings = given
    async with database.unit_of_work() as session:
        done = await trunk_music.correct(session, settings, who, body.check_ids)
    return CorrectionsOut(items=[CorrectionOut.model_validate(item) for item in done])


async def _added(database: Database, rules: RuleSet, response: Response, who: str) -> RuleSetDetail:
    async with database.unit_of_work() as session:
        row, new = await service.add(session, rules, who)
    if not new:
        response.status_code = 200
    return RuleSetDetail(**_set(rules, row).model_dump(), content=rules)


async def _posted(request: Request) -> RuleSet:
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > LARGEST_FILE:
            fault = Fault("body", "is too large")
            raise BadInputError(f"a rule set takes at most {LARGEST_FILE // 1024} kB", [fault])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInputError("a rule set is UTF-8 text", [Fault("body", "is not UTF-8")]) from error
    return await run_in_threadpool(parse_toml, text)


def _set(rules: RuleSet, row: StoredRuleSet | None) -> RuleSetOut:
    return RuleSetOut(
        key=rules.key,
        version=rules.version,
        title=rules.title,
        sha256=rules.sha256,
        shipped=any(known.sha256 == rules.sha256 for known in library.shipped()),
        stored_at=None if row is None else row.created_at,
        clauses=len(rules.clauses),
        findings=sorted({code for clause in rules.clauses for code in clause.findings}),
    )


def _activation(row: RuleActivation) -> ActivationOut:
    return ActivationOut(
        id=row.id,
        key=row.rule_set.key,
        version=row.rule_set.version,
        title=row.rule_set.title,
        sha256=row.rule_set.sha256,
        document=row.document,
        own=row.own,
        from_at=row.from_at,
        activated_at=row.activated_at,
        activated_by=row.activated_by,
    )
