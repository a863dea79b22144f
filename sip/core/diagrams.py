"""The state machines as diagrams, made from the tables that drive them.

`state_machines_page` is docs/reference/state-machines.md; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from .incoming_states import INCOMING
from .outgoing_states import OUTGOING
from .registration import REGISTRATION
from .transactions import INVITE_CLIENT, INVITE_SERVER, NON_INVITE_CLIENT, NON_INVITE_SERVER

_HEAD = """# State machines of the signalling core

This page is made by `sip.core.state_machines_page()` from the tables that drive the
machines. An arrow reads: what happens / what is done. What has no arrow in a state is ignored there.
"""


def diagram(title: str, table: Mapping[Any, tuple[StrEnum, tuple[StrEnum, ...]]]) -> str:
    """Return the Mermaid diagram of one table under its title."""
    lines = [f"## {title}", "", "```mermaid", "stateDiagram-v2"]
    first = next(iter(table))[0]
    lines.append(f"    [*] --> {first.value}")
    for (state, step), (target, acts) in table.items():
        doing = f" / {', '.join(act.value for act in acts)}" if acts else ""
        lines.append(f"    {state.value} --> {target.value}: {_plain(step.value + doing)}")
    return "\n".join([*lines, "```", ""])


def state_machines_page() -> str:
    """Return the whole page."""
    parts = [
        diagram("INVITE client transaction", INVITE_CLIENT),
        diagram("Non-INVITE client transaction", NON_INVITE_CLIENT),
        diagram("INVITE server transaction", INVITE_SERVER),
        diagram("Non-INVITE server transaction", NON_INVITE_SERVER),
        diagram("Outgoing call", OUTGOING),
        diagram("Incoming call", INCOMING),
        diagram("Registration", REGISTRATION),
    ]
    return "\n".join([_HEAD, *parts])


def _plain(label: str) -> str:
    """A label must not hold what Mermaid takes for syntax."""
    return label.replace(":", " ").replace(";", ",").replace("(", "").replace(")", "")
