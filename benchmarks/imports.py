"""How long a file of ten thousand rows takes: `python -m benchmarks.imports [ROWS]`.

Reads it with one bad cell, compares it with an empty directory, imports it without that cell into SQLite, compares it
again with all of it there, and exports it.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openpyxl

from app.database import Database, upgrade
from app.imports import service
from app.imports.comparing import compare
from app.imports.reading import read
from app.settings import Settings


def workbook(rows: int, odd: str) -> bytes:
    """Units, lines and people, a third of the rows each; the number in the middle is `odd`."""
    third = rows // 3
    book = openpyxl.Workbook(write_only=True)
    units = book.create_sheet("单位")
    units.append(["单位编码", "单位名称", "上级单位", "类别"])
    units.append(["R", "云溪市", None, "市"])
    lines = book.create_sheet("线路")
    lines.append(["单位编码", "值班电话", "线路类型"])
    people = book.create_sheet("人员")
    people.append(["单位编码", "姓名", "角色"])
    for number in range(third):
        code = f"A{number:05}"
        units.append([code, f"云溪市第{number}单位", "R", "县直部门"])
        lines.append([code, odd if number == third // 2 else f"0917-{3_000_000 + number}", "值班电话"])
        people.append([code, "张三", "值班员"])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something takes, and how much of it the processor was at work."""
    began, busy = time.perf_counter(), time.process_time()
    yield
    print(f"{what:<44}{time.perf_counter() - began:7.2f} s{time.process_time() - busy:7.2f} s CPU")


async def run(rows: int) -> int:
    """Take the times; return 1 where the bad cell is not the one that is named."""
    bad, good = workbook(rows, "32l2345"), workbook(rows, "0917-2999999")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder) / "data")
        upgrade(settings)
        async with Database(settings.url) as database:
            with timed(f"read {rows:,} rows, one bad"):
                preview = read(bad, "x.xlsx")
            with timed("compare them with an empty directory"):
                async with database.reading() as session:
                    case = await compare(session, preview, settings)
            named = [f"{finding.sheet}!{finding.cell}" for finding in case.findings.all]
            print("named:", *named)
            preview = read(good, "x.xlsx")
            async with database.reading() as session:
                case = await compare(session, preview, settings)
            with timed("compare again and enter all of them"):
                async with database.unit_of_work() as session:
                    await service.confirm(session, preview, case.digest(), settings, "bench")
            with timed("compare them with themselves"):
                async with database.reading() as session:
                    case = await compare(session, preview, settings)
            with timed("export them"):
                async with database.unit_of_work() as session:
                    await service.export(session, settings, "bench")
    return 0 if len(named) == 1 and not case.changes else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)))
