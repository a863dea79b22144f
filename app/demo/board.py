"""The round in the terminal: a table that moves by itself while the lines are called, and the table at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.checks.rules import CODES
from app.demo.county import COUNTY
from app.demo.service import Result

RING_PERIOD_S = 5.0
"""National cadence, 1 s on and 4 s off (GB 3380-82)."""
_FRAME = 6
"""Lines of a table besides its rows: title, three rules, header, footer."""


class Board:
    """Shows a round as it goes: one row per unit on a terminal, a line for each change elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._told: dict[str, str] = {}

    @contextmanager
    def showing(self) -> Iterator[Board]:
        """Keep the moving table on the terminal; it is gone at the end, the final table takes its place."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield self
        self._live = None

    def show(self, found: Sequence[Result], now: datetime) -> None:
        """Show where every line of the round stands at the moment `now`."""
        if self._live is not None:
            rows = max(self._console.height - _FRAME, 1)
            self._live.update(moving_table(found, now, rows), refresh=True)
            return
        for result in found:
            words = progress(result, None)
            if self._told.get(result.unit.code, "waiting") != words:
                self._told[result.unit.code] = words
                self._console.print(
                    f"{result.unit.name} (line {result.unit.extension}): {words}", soft_wrap=True
                )


def progress(result: Result, now: datetime | None) -> str:
    """Say where a line stands: `waiting`, `dialling`, `ringing 3`, `connected`, or what came of the call.

    Rings are counted by the national cadence from the moment at which the ledger saw it ring; without `now`
    they are not counted.
    """
    attempt = result.attempt
    if attempt is None:
        return "waiting"
    if result.done:
        return ", ".join(part for part in (_outcome(result), _title(result.code)) if part)
    if attempt.state == "ringing" and now is not None and result.ringing_since is not None:
        rung_s = max((now - result.ringing_since).total_seconds(), 0.0)
        return f"ringing {int(rung_s / RING_PERIOD_S) + 1}"
    return "dialling" if attempt.state == "claimed" else attempt.state


def moving_table(found: Sequence[Result], now: datetime, rows: int) -> Table:
    """The round at this moment; where not all lines fit into `rows`, those under way stand first."""
    done = sum(result.done for result in found)
    table = Table(
        title=f"Calling {COUNTY}: {done} of {len(found)} lines done",
        header_style="bold",
    )
    # Widths of their own, so that the table does not sway as its words change.
    for name, width in (("unit", 16), ("line", 4), ("now", 15)):
        table.add_column(name, no_wrap=True, min_width=width)
    table.add_column("ringing", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True, min_width=12)
    shown = list(found) if len(found) <= rows else sorted(found, key=lambda result: result.done)[:rows]
    for result in shown:
        table.add_row(
            _short(result), result.unit.extension, _now(result, now), _rang(result), _verdict(result)
        )
    return table


def result_table(found: Sequence[Result]) -> Table:
    """The finished round."""
    table = Table(title=f"Spot checks of the fictional county {COUNTY}", header_style="bold")
    for name in ("unit", "line", "outcome"):
        table.add_column(name, no_wrap=True)
    table.add_column("ringing", justify="right", no_wrap=True)
    for name in ("verdict", "right"):
        table.add_column(name, no_wrap=True)
    for result in found:
        right = Text("yes", "green") if result.as_expected else Text("no", "red")
        outcome = _outcome(result) if result.attempt else "not called"
        table.add_row(
            _short(result),
            result.unit.extension,
            outcome,
            _rang(result) or "-",
            _verdict(result) or "-",
            right,
        )
    return table


def _now(result: Result, now: datetime) -> Text:
    words = _outcome(result) if result.done else progress(result, now)
    moving = result.attempt is not None and not result.done
    return Text(words, "bold cyan" if moving else "dim" if result.attempt is None else "")


def _outcome(result: Result) -> str:
    attempt = result.attempt
    if attempt is None:
        return "waiting"
    who = attempt.answered_by if attempt.outcome == "answered" else attempt.outcome
    return who or attempt.state


def _rang(result: Result) -> str:
    ms = result.attempt.ring_to_answer_ms if result.attempt else None
    return "" if ms is None else f"{ms / 1000:.1f} s"


def _verdict(result: Result) -> Text:
    red = result.attempt is not None and bool(result.attempt.needs_review)
    return Text(_title(result.code), "bold red" if red else "")


def _short(result: Result) -> str:
    return result.unit.name.removeprefix(COUNTY)


def _title(code: str | None) -> str:
    return next((info.zh for known, info in CODES.items() if known == code), code or "")
