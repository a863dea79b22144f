"""系统 › 规则集: what there is and what is in force; to see, to compare, to put in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Path, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from app import clock
from app.api.actor import Actor
from app.checks import recompute
from app.checks.proposal_codes import CODES
from app.checks.rules import rules_of
from app.directory.routing import State
from app.errors import BadInputError, NotFoundError, OfficeError
from app.planning.calendar import DAY_KINDS_ZH
from app.rules import library, repository, service
from app.rules.codes import SUPPORTED
from app.rules.force import RulesInForce
from app.rules.format import Clause, RuleSet, parse, parse_toml
from app.rules.own import Own, OwnLimits, parse_own
from app.rules.schemas import SetName
from app.settings import Settings
from app.web.i18n import gettext as _
from app.web.pages import render
from app.web.system.routes import speaking
from app.web.views import clock_time

router = APIRouter(include_in_schema=False, dependencies=[Depends(speaking)])
READ = ["GET", "HEAD"]
HISTORY = 20
CATEGORIES_ZH = {
    "city": "市",
    "county": "县区",
    "town": "镇街",
    "city_department": "市直部门",
    "county_department": "县直部门",
    "institution": "企事业单位",
    "other": "其他",
}
LIMITS = ("within_s", "limit_s", "finding_s", "least_ring_s")
Named = Annotated[SetName, Path()]
Text = Annotated[str, Form(max_length=200)]
Seconds = Annotated[str, Form(max_length=12)]


@dataclass(frozen=True, slots=True)
class SetView:
    """One set of the list."""

    name: str
    """By which it is addressed: its key where there is one version, else the beginning of its SHA-256."""
    rules: RuleSet
    shipped: bool
    in_force: bool


@dataclass(frozen=True, slots=True)
class ActivationView:
    """One line of the history."""

    from_at: str
    title: str
    document: str
    by: str
    at: str


@dataclass(frozen=True, slots=True)
class ClauseView:
    """One clause."""

    id: str
    source: str
    words: str
    findings: str
    binds: str


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """An order that the other set sees otherwise."""

    check_id: int
    at: str
    code: str
    other: str


@dataclass(frozen=True, slots=True)
class ComparedView:
    """What came of a comparison."""

    compared: int
    differences: Sequence[DifferenceView]
    next: object


@router.api_route("/system/rules", methods=READ)
async def rules_page(request: Request, state: State) -> Response:
    """Every set, what is in force, and what was."""
    return await _list(request, state)


@router.post("/system/rules")
async def add_set(
    request: Request, state: State, who: Actor, toml: Annotated[str, Form(max_length=300_000)]
) -> Response:
    """Store a set; what cannot be read stays in the form."""
    try:
        rules = await run_in_threadpool(parse_toml, toml)
        async with state[0].unit_of_work() as session:
            await service.add(session, rules, who)
    except OfficeError as error:
        return await _list(request, state, toml, _explained(error))
    return RedirectResponse(f"/system/rules/{rules.sha256[:12]}", status_code=303)


async def _list(request: Request, state: State, typed: str = "", problem: str = "") -> Response:
    database, settings = state
    async with database.reading() as session:
        stored = await repository.sets(session)
        force = await service.in_force(session, clock.now())
        history = await repository.activations(session, None, HISTORY)
    every = {rules.sha256: rules for rules in library.shipped()}
    shipped = frozenset(every)
    every |= {row.sha256: parse(row.content) for row in stored if row.sha256 not in every}
    sets = [
        SetView(sha[:12], rules, sha in shipped, sha == force.rules.sha256) for sha, rules in every.items()
    ]
    return render(
        request,
        "system/rules.html",
        422 if problem else 200,
        sets=sorted(sets, key=lambda one: (not one.in_force, one.rules.key, one.name)),
        force=force,
        limits=force.limits(rules_of(settings)),
        history=[
            ActivationView(
                clock_time(row.from_at, settings.zone),
                row.rule_set.title,
                row.document,
                row.activated_by,
                clock_time(row.activated_at, settings.zone),
            )
            for row in history
        ],
        typed=typed,
        problem=problem,
    )


@router.api_route("/system/rules/{name}", methods=READ)
async def set_page(request: Request, state: State, name: Named) -> Response:
    """One set with its clauses, and the forms to compare it and to put it in force."""
    return await _one(request, state, name)


@router.post("/system/rules/{name}/compare")
async def compare(
    request: Request, state: State, name: Named, who: Actor, first: Text, last: Text
) -> Response:
    """Judge closed orders of a period by this set too. No case is touched."""
    database, settings = state
    asked = {"first": first, "last": last}
    try:
        period = _period(first, last, settings)
        async with database.reading() as session:
            rules = await service.find(session, name)
            own = (await service.in_force(session, clock.now())).own
            force = RulesInForce(rules, own.model_copy(update={"words": {}}), recompute.FOR_COMPARISON)
            told = await recompute.compare(session, force, period, settings)
        async with database.unit_of_work() as session:
            await recompute.keep(session, told)
            await service.note_comparison(session, told.label, told.compared, who)
    except NotFoundError:
        raise
    except OfficeError as error:
        return await _one(request, state, name, asked=asked, compare_problem=_explained(error))
    return await _one(request, state, name, asked=asked, compared=_compared(told, settings))


@router.post("/system/rules/{name}/activate")
async def activate(
    request: Request,
    state: State,
    name: Named,
    who: Actor,
    document: Text = "",
    from_at: Text = "",
    within_s: Seconds = "",
    limit_s: Seconds = "",
    finding_s: Seconds = "",
    least_ring_s: Seconds = "",
    keep_own: Text = "",
) -> Response:
    """Put a set in force by a document; what is wrong keeps what was typed."""
    database, settings = state
    typed = {
        "document": document, "from_at": from_at, "within_s": within_s, "limit_s": limit_s, "finding_s": finding_s,
        "least_ring_s": least_ring_s, "keep_own": keep_own,
    }  # fmt: skip
    try:
        if not document.strip():
            raise BadInputError("请填写本单位依据文件")
        limits = _limits(typed)
        moment = _moment(from_at, settings)
        async with database.unit_of_work() as session:
            rules = await service.find(session, name)
            current = (await service.in_force(session, clock.now())).own if keep_own else Own()
            own = parse_own({**current.to_json(), "limits": limits})
            await service.activate(
                session, rules, document, own, who, limits=rules_of(settings), from_at=moment
            )
    except NotFoundError:
        raise
    except OfficeError as error:
        return await _one(request, state, name, typed=typed, problem=_explained(error))
    return RedirectResponse("/system/rules", status_code=303)


async def _one(
    request: Request, state: State, name: str, *, typed: Mapping[str, str] | None = None, problem: str = "",
    asked: Mapping[str, str] | None = None, compared: ComparedView | None = None, compare_problem: str = "",
) -> Response:  # fmt: skip
    database, settings = state
    async with database.reading() as session:
        try:
            rules = await service.find(session, name)
        except NotFoundError as error:
            raise HTTPException(404, "there is no such rule set") from error
    today = clock.now().astimezone(settings.zone).date()
    month = {"first": today.replace(day=1).isoformat(), "last": today.isoformat()}
    empty = dict.fromkeys(("document", "from_at", *LIMITS), "") | {"keep_own": "1"}
    return render(
        request,
        "system/rule_set.html",
        422 if problem or compare_problem else 200,
        address=rules.sha256[:12],
        rules=rules,
        clauses=[_clause(rules, one) for one in rules.clauses],
        limits=rules_of(settings),
        typed=empty | dict(typed or {}),
        problem=problem,
        asked=asked or month,
        compared=compared,
        compare_problem=compare_problem,
    )


def _clause(rules: RuleSet, one: Clause) -> ClauseView:
    source = _("本单位文件")
    if one.document is not None:
        source = f"{rules.document(one.document).citation} {one.article or ''}".strip()
    findings = "、".join(_(_finding_zh(code)) for code in one.findings)
    return ClauseView(one.id, source, one.words or _("由启用时的依据文件补充"), findings or "—", _binds(one))


def _finding_zh(code: str) -> str:
    return SUPPORTED[code].zh if code in SUPPORTED else code


def _binds(one: Clause) -> str:
    parts = []
    if one.applies:
        parts.append(_("适用：") + "、".join(_(CATEGORIES_ZH.get(key, key)) for key in one.applies))
    if one.reference:
        parts.append(_("参照：") + "、".join(_(CATEGORIES_ZH.get(key, key)) for key in one.reference))
    if one.days:
        parts.append(_("日期：") + "、".join(_(DAY_KINDS_ZH.get(key, key)) for key in one.days))
    if one.sensitive:
        parts.append(_("特殊敏感期"))
    return "；".join(parts) or _("所有单位")


def _period(first: str, last: str, settings: Settings) -> recompute.Asked:
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise BadInputError("请填写起止日期") from error
    if end < begin:
        raise BadInputError("结束日期早于开始日期")
    zone = settings.zone
    return recompute.Asked(
        first=datetime.combine(begin, time(), zone),
        until=datetime.combine(end + timedelta(days=1), time(), zone),
    )


def _compared(told: recompute.Comparison, settings: Settings) -> ComparedView:
    return ComparedView(
        told.compared,
        [
            DifferenceView(
                one.check_id,
                clock_time(one.first_due_at, settings.zone),
                _code_zh(one.code),
                _code_zh(one.other_code),
            )
            for one in told.differences
        ],
        told.next,
    )


def _code_zh(code: str) -> str:
    return CODES[code].zh if code in CODES else code


def _limits(typed: Mapping[str, str]) -> dict[str, float]:
    names = {
        "within_s": "三声内",
        "limit_s": "折算限",
        "finding_s": "超时",
        "least_ring_s": "无人接听最短响铃",
    }
    found = {}
    for name in LIMITS:
        text = typed[name].strip()
        if text:
            try:
                found[name] = float(text)
                OwnLimits.model_validate({name: found[name]})
            except (ValueError, ValidationError) as error:
                raise BadInputError(f"{names[name]}：请填写 0 至 600 之间的秒数") from error
    return found


def _moment(text: str, settings: Settings) -> datetime | None:
    if not text.strip():
        return None
    try:
        local = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadInputError("生效时间无法识别") from error
    return local.replace(tzinfo=settings.zone) if local.tzinfo is None else local


def _explained(error: OfficeError) -> str:
    """What is wrong, in the words of the rules' own checks, and where."""
    faults = "；".join(f"{fault.where}: {fault.message}" for fault in error.faults[:5] if fault.where)
    return f"{error.detail}（{faults}）" if faults else error.detail
