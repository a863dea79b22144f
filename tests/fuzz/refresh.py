"""Takes what a long run has found into the committed corpus, as small as it gets.

    python -m tests.fuzz.refresh [TARGET=FOLDER ...]

For each target (those that are named, or all), the files of the folder, of the seeds and of the corpus as it is are
merged by what they cover, the smallest first (libFuzzer's -merge), and those that fit into the target's share of the
room are kept. Needs atheris.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from tests.fuzz.parsers import CORPUS, fuzz
from tests.fuzz.seeds import seeds

ROOM_BYTES = {"framing": 70_000, "endpoint": 110_000, "sdp": 25_000, "stream": 25_000, "rtp": 40_000}
OTHERS_BYTES = 15_000
LARGEST_BYTES = 4096


def main() -> int:
    """Merge and keep."""
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    for name, first in seeds().items():
        if given and name not in given:
            continue
        folder = Path(given[name]) if name in given else None
        kept, files = _merge(name, first, folder)
        print(f"{name}: {files} files, {kept} bytes")
    return 0


def _merge(name: str, first: list[bytes], folder: Path | None) -> tuple[int, int]:
    with tempfile.TemporaryDirectory(prefix="dutyring-corpus-") as scratch:
        merged, given = Path(scratch) / "merged", Path(scratch) / "given"
        merged.mkdir()
        given.mkdir()
        for data in first:
            (given / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
        for source in (CORPUS / name, folder):
            if source is not None and source.is_dir():
                shutil.copytree(source, given, dirs_exist_ok=True)
        done = fuzz(name, str(merged), str(given), "-merge=1", quiet=True)
        if done.returncode or not any(merged.iterdir()):
            raise SystemExit(f"{name}: {done.stderr[-2000:]}")
        return _keep(name, merged)


def _keep(name: str, merged: Path) -> tuple[int, int]:
    """Replace the corpus by the smallest files of a folder."""
    target, room, files = CORPUS / name, ROOM_BYTES.get(name, OTHERS_BYTES), 0
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    kept = 0
    for path in sorted(merged.iterdir(), key=lambda path: (path.stat().st_size, path.name)):
        data = path.read_bytes()
        if len(data) > LARGEST_BYTES or kept + len(data) > room:
            continue
        (target / hashlib.sha1(data, usedforsecurity=False).hexdigest()[:12]).write_bytes(data)
        kept, files = kept + len(data), files + 1
    return kept, files


if __name__ == "__main__":
    sys.exit(main())
