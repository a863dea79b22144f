"""Our phone in the comparison: `sip.phone.Phone` with its media engine, recorded and analysed."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path

from app.bench.processes import parts_of, spent_s
from benchmarks.peer_phones.tally import HOST, Tally, task
from sip.phone import Phone, Script
from sip.seldom import collect_seldom


async def main() -> None:
    """Place the calls."""
    wanted, numbers = task(), itertools.count()
    with tempfile.TemporaryDirectory() as name:
        async with Phone() as phone:
            tally = Tally()
            parts = parts_of().values()
            before_s = sum(spent_s(pid) for pid in parts)

            async def worker() -> None:
                while (number := next(numbers)) < wanted.calls:
                    script = Script(max_talk_s=wanted.talk_s, capture=Path(name) / f"{number}.part")
                    record = await phone.call(f"sip:line-{number}@{HOST}:{wanted.port}", script)
                    tally.answered += record.outcome == "answered"
                    tally.failed += record.outcome != "answered"
                    for entry in record.timeline:
                        if entry.event == "received" and "request" not in entry.fields:
                            tally.note(record.call_id, str(entry.fields.get("status")), entry.t_ms / 1000)

            await asyncio.gather(*(worker() for _ in range(wanted.at_once)))
            tally.tell(sum(spent_s(pid) for pid in parts) - before_s)


if __name__ == "__main__":
    collect_seldom()
    asyncio.run(main())
