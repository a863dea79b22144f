"""How the commands `dutyring plans`, `dutyring prompts`, `dutyring draw` and `dutyring check` are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

plans = typer.Typer(help="Plans of spot checks (抽查计划).", no_args_is_help=False)
prompts = typer.Typer(help="Prompts that are played into calls (提示语).", no_args_is_help=False)
draw = typer.Typer(help="The draw of a plan's moments (抽签).", no_args_is_help=False)


def _person(name: str | None) -> str | None:
    if name is not None and not (0 < len(name.strip()) <= 80 and name.isprintable()):
        raise typer.BadParameter("takes a name of 1 to 80 signs")
    return name


Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
PlanId = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="number of the plan")]
PromptId = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="number of the prompt")]
By = Annotated[str, typer.Option(metavar="NAME", callback=_person, help="who does it, for the audit trail")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="why")]


@plans.command("list")
def list_plans(
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="draft, running, paused, cancelled or finished")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the plans, newest first."""
    from app.commands.plans import list_plans as run

    raise typer.Exit(run(state, as_json=as_json))


@plans.command("show")
def show_plan(id: PlanId, as_json: Json = False) -> None:
    """One plan with its starts and their commitments."""
    from app.commands.plans import show as run

    raise typer.Exit(run(id, as_json=as_json))


@plans.command()
def create(
    file: Annotated[Path, typer.Argument(help="the plan as TOML: docs/reference/plan-format.md")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="its name [`name` of the file]")] = None,
    by: By = "local",
    as_json: Json = False,
) -> None:
    """Write a plan down as a draft; nobody is called before it is started."""
    from app.commands.plans import create as run

    raise typer.Exit(run(file, name, by, as_json=as_json))


@plans.command()
def preview(id: PlanId, as_json: Json = False) -> None:
    """What a plan would do if it was started now, never when; exit status 1 if something is against it."""
    from app.commands.plans import preview as run

    raise typer.Exit(run(id, as_json=as_json))


@plans.command()
def start(id: PlanId, by: By = "local", as_json: Json = False) -> None:
    """Start a plan; exit status 1 if something is against it, with everything named."""
    from app.commands.plans import start as run

    raise typer.Exit(run(id, by, as_json=as_json))


@plans.command()
def pause(id: PlanId, reason: Reason, by: By = "local", as_json: Json = False) -> None:
    """Call nobody until the plan is resumed."""
    from app.commands.plans import change as run

    raise typer.Exit(run("pause", id, reason, by, as_json=as_json))


@plans.command()
def resume(id: PlanId, reason: Reason, by: By = "local", as_json: Json = False) -> None:
    """Let a paused plan go on."""
    from app.commands.plans import change as run

    raise typer.Exit(run("resume", id, reason, by, as_json=as_json))


@plans.command()
def cancel(id: PlanId, reason: Reason, by: By = "local", as_json: Json = False) -> None:
    """End a plan; started again it gets a new draw, and its starts are counted."""
    from app.commands.plans import change as run

    raise typer.Exit(run("cancel", id, reason, by, as_json=as_json))


@plans.command("approve-night")
def approve_night(id: PlanId, by: By = "local", as_json: Json = False) -> None:
    """Let a plan call between 00:00 and 06:00; not by the person who wrote it."""
    from app.commands.plans import change as run

    raise typer.Exit(run("approve-night", id, "", by, as_json=as_json))


@prompts.command("list")
def list_prompts(as_json: Json = False) -> None:
    """Print the prompts."""
    from app.commands.plans import list_prompts as run

    raise typer.Exit(run(as_json=as_json))


@prompts.command()
def add(
    file: Annotated[Path | None, typer.Argument(help="WAV or FLAC of at most 20 s")] = None,
    kind: Annotated[str, typer.Option(metavar="opening|closing", help="when it is played")] = "opening",
    name: Annotated[str, typer.Option(metavar="TEXT", help="its name")] = "",
    words: Annotated[str, typer.Option(metavar="TEXT", help="what is said in it, word for word")] = "",
    shipped: Annotated[
        bool, typer.Option("--shipped", help="those that come with the program, in place of FILE")
    ] = False,
    by: By = "local",
) -> None:
    """Enter a prompt; somebody else must approve it."""
    from app.commands.plans import add_prompt as run

    raise typer.Exit(run(file, kind, name, words, by, shipped=shipped))


@prompts.command()
def approve(id: PromptId, by: By = "local") -> None:
    """Let a prompt be played; not by the person who made it."""
    from app.commands.plans import change_prompt as run

    raise typer.Exit(run("approve", id, by))


@prompts.command()
def retire(id: PromptId, by: By = "local") -> None:
    """Take a prompt out of use."""
    from app.commands.plans import change_prompt as run

    raise typer.Exit(run("retire", id, by))


@draw.command()
def verify(
    plan: Annotated[
        int | None, typer.Option(metavar="ID", min=1, max=2**63 - 1, help="only this plan")
    ] = None,
    as_json: Json = False,
) -> None:
    """Repeat every draw whose seed is revealed; exit status 1 with a line for each thing that does not hold."""
    from app.commands.draw import verify as run

    raise typer.Exit(run(plan, as_json=as_json))


def check(
    unit: Annotated[str, typer.Argument(help="code of a unit, or number of a line, `line:12` for sure")],
    reason: Reason,
    by: By = "local",
    near_handover: Annotated[
        str, typer.Option(metavar="TEXT", help="why it is called within 15 minutes of a handover")
    ] = "",
    night_approved_by: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", callback=_person, help="supervisor who lets it be called from 00:00 to 06:00"
        ),
    ] = None,
) -> None:
    """Check a unit or a line now (指定抽查); exit status 1 if a cap, a stop or another rule forbids it."""
    from app.commands.plans import check as run

    raise typer.Exit(run(unit, reason, by, near_handover, night_approved_by))
