"""`dutyring rules`: the clauses that findings rest on, and which of them are in force."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks.rules import rules_of
from app.commands.rule_tools import (
    complain,
    given,
    local,
    moment_of,
    own_of,
    print_json,
    print_table,
    run,
    say,
    text_of,
)
from app.errors import BadInputError
from app.rules import library, repository, service
from app.rules.binding import BINDING_ZH
from app.rules.format import Clause, RuleSet, parse, parse_toml
from app.rules.models import RuleActivation
from app.settings import get_settings

SCHEMA = "dutyring.rule-sets/1"


def show_all(*, as_json: bool) -> int:
    """Print every set; return the exit status."""

    async def read(session: AsyncSession) -> tuple[list[RuleSet], RuleActivation | None]:
        stored = [parse(row.content) for row in await repository.sets(session)]
        return stored, await repository.activation_at(session, clock.now())

    stored, held = run(read)
    every = {rules.sha256: rules for rules in (*library.shipped(), *stored)}
    rows = [
        {
            "key": rules.key,
            "version": rules.version,
            "title": rules.title,
            "sha256": sha,
            "clauses": len(rules.clauses),
            "in_force": held is not None and held.rule_set.sha256 == sha,
        }
        for sha, rules in sorted(every.items(), key=lambda item: (item[1].key, item[0]))
    ]
    if as_json:
        print_json({"schema": SCHEMA, "rule_sets": rows})
        return 0
    print_table(
        ("set", "version", "sha256", "clauses", "title", "in force"),
        [
            (
                r["key"],
                r["version"],
                str(r["sha256"])[:12],
                r["clauses"],
                r["title"],
                "yes" if r["in_force"] else "",
            )
            for r in rows
        ],
    )
    if held is None:
        say("nothing was put in force: calls are read, no unit is found at fault")
    else:
        say(f"in force since {local(held.from_at)} by {held.document}")
    return 0


def show(name: str, *, as_json: bool) -> int:
    """Print one set; return the exit status."""

    async def read(session: AsyncSession) -> RuleSet:
        return await service.find(session, name)

    rules = run(read)
    if as_json:
        print_json(rules.to_json() | {"sha256": rules.sha256})
        return 0
    say(f"{rules.key} {rules.version}: {rules.title}")
    say(f"sha256 {rules.sha256}")
    if rules.note:
        say(rules.note)
    for clause in rules.clauses:
        say("")
        say(_heading(rules, clause))
        say(f"  {clause.words or '(words of the local document, given when the set is put in force)'}")
        say(f"  supports: {', '.join(clause.findings) or 'nothing'}")
        for how, categories in (("applies", clause.applies), ("reference", clause.reference)):
            if categories:
                say(f"  {how} ({BINDING_ZH[how]}): {', '.join(categories)}")
        for line in _narrowed(clause):
            say(f"  {line}")
        if clause.note:
            say(f"  {clause.note}")
    return 0


def _heading(rules: RuleSet, clause: Clause) -> str:
    if clause.document is None:
        return f"{clause.id}: local document"
    return f"{clause.id}: {rules.document(clause.document).citation} {clause.article} [{clause.kind}]"


def _narrowed(clause: Clause) -> list[str]:
    told = {
        "days": (*clause.days, *(("sensitive",) if clause.sensitive else ())),
        "duty regimes": clause.duty_regimes,
        "leader regimes": clause.leader_regimes,
        "lines": clause.lines,
    }
    found = [f"{name}: {', '.join(values)}" for name, values in told.items() if values]
    return [*found, *(("bans all forwarding",) if clause.bans_all_forwarding else ())]


def check(path: Path) -> int:
    """Say whether a file holds a rule set; return the exit status."""
    try:
        rules = parse_toml(text_of(path))
    except BadInputError as error:
        for fault in error.faults:
            complain(f"{path}: {fault.where}: {fault.message}")
        if not error.faults:
            complain(f"{path}: {error.detail}")
        return 1
    say(f"{rules.key} {rules.version}: {len(rules.clauses)} clauses, sha256 {rules.sha256}")
    return 0


def add(path: Path, by: str) -> int:
    """Store a rule set; return the exit status."""
    rules = given(lambda: parse_toml(text_of(path)), "'FILE'")

    async def write(session: AsyncSession) -> bool:
        _, new = await service.add(session, rules, by)
        return new

    told = "stored" if run(write) else "was stored already"
    say(f"{rules.key} {rules.version} {told}, sha256 {rules.sha256}")
    return 0


def activate(name: str, document: str, own_file: Path | None, start: str, by: str) -> int:
    """Put a set in force; return the exit status."""
    settings = get_settings()
    if not document.strip() or len(document) > 200 or not document.isprintable():
        reason = "it takes the name of the local document (本单位依据文件), at most 200 signs"
        raise typer.BadParameter(reason, param_hint="'--document'")
    own = own_of(own_file)
    from_at = moment_of(start, settings) if start else None

    async def write(session: AsyncSession) -> RuleActivation:
        rules = await service.find(session, name)
        return await service.activate(
            session, rules, document, own, by, limits=rules_of(settings), from_at=from_at
        )

    row = run(write)
    say(f"{row.rule_set.key} {row.rule_set.version} in force from {local(row.from_at)} by {row.document}")
    return 0


def history(*, as_json: bool) -> int:
    """Print what was put in force; return the exit status."""

    async def read(session: AsyncSession) -> Sequence[RuleActivation]:
        return await repository.activations(session, limit=200)

    rows = run(read)
    told = [
        {
            "from_at": local(row.from_at),
            "key": row.rule_set.key,
            "sha256": row.rule_set.sha256,
            "document": row.document,
            "own": row.own,
            "activated_by": row.activated_by,
        }
        for row in rows
    ]
    if as_json:
        print_json({"schema": SCHEMA, "activations": told})
    else:
        names = ("from_at", "key", "document", "activated_by")
        print_table(("from", "set", "document", "by"), [tuple(item[name] for name in names) for item in told])
    return 0
