"""Runs every benchmark of this folder, one after the other, each in a process of its own: `python -m benchmarks`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ARGUMENTS = {"line": ["--only-kinds"], "soak": ["--minutes", "2", "--calls", "40"]}
"""The line's further parts are benchmarks of this folder, which have their own turn; the whole soak is `make soak`."""


def has_main(path: Path) -> bool:
    """Tell whether a file defines `main` and so is a benchmark and no helper."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)


def benchmarks() -> list[str]:
    """Return the names of the benchmarks."""
    files = [path for path in FOLDER.glob("*.py") if not path.stem.startswith("_")]
    packages = FOLDER.glob("*/__main__.py")
    names = [path.stem for path in files if has_main(path)]
    return sorted([*names, *(path.parent.name for path in packages if has_main(path))])


if __name__ == "__main__":
    failed = []
    for name in benchmarks():
        print(f"== {name}", flush=True)
        if subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *ARGUMENTS.get(name, [])], check=False
        ).returncode:
            failed.append(name)
    if failed:
        print(f"== failed: {', '.join(failed)}")
    sys.exit(1 if failed else 0)
