"""Gather the sounds that the segment model is trained on and the line benchmark is made of.

    python -m tools.line_sources fetch --to FOLDER [--only PACKAGE ...]
    python -m tools.line_sources speak --to FOLDER --model VOICE_KIT
    python -m tools.line_sources index --to FOLDER [--shared FOLDER]

`fetch` downloads Debian packages of music, prompts and game sounds (`apt-get download`) and unpacks their sounds
(`dpkg-deb`), without root and without installing anything; `speak` adds synthetic Mandarin from the voice kit;
`index` writes `index.json`: of each file its kind, its source (speaker, track or text), the copyright file of its
package, and whether it is for training or for testing. That split is by *source* and by hash, so it never depends on
what else is there. Nothing of this is part of DutyRing: only what was learned from the training part.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import soundfile

Kind = Literal["music", "speech", "noise", "effects"]
Split = Literal["train", "test"]

SOUNDS: Final = (".ogg", ".oga", ".wav", ".mp3", ".flac", ".gsm", ".opus")
TEST_SHARE: Final = 0.35
_SALT: Final = "line599"
"""Chosen once, before anything was trained, so that each part has prompts of a man and of a woman."""
_OPENLY_USED: Final = ("macroform-cold_day", "macroform-robot_dity")
"""Tracks that the tests of the repository use: never for training."""


@dataclass(frozen=True)
class Package:
    """A Debian package and what the sounds in it are."""

    name: str
    kind: Kind
    where: str = ""
    """A regular expression that a file's path must match; its first group, if any, names the source.

    Without a group each file is a source of its own."""


PACKAGES: Final = (
    # Prompts, real speakers: the voice's name is the last part of the folder's name.
    *(
        Package(f"asterisk-core-sounds-{c}-wav", "speech", r"_([A-Za-z]+)/")
        for c in ("en", "es", "fr", "it", "ru")
    ),
    Package("asterisk-prompt-it-menardi-wav", "speech", r"()"),
    Package("asterisk-prompt-es-co", "speech", r"()"),
    Package("asterisk-prompt-fr-armelle", "speech", r"()"),
    # Teaching games: one or a few speakers to each language.
    # The penguin snores and laughs.
    Package("ktuberling-data", "speech", r"sounds/([\w@]+)/(?!tux-)"),
    Package("klettres-data", "speech", r"klettres/([\w@]+)/"),
    Package("gcin-voice", "speech", r"()"),
    Package("hedgewars-data", "speech", r"Sounds/voices/(?!Singer|Robot)(\w+)/"),
    # Music: each file is a track.
    Package("asterisk-moh-opsound-wav", "music", r"moh/([\w-]+)\.wav"),
    Package("wesnoth-1.16-music", "music"),
    Package("warzone2100-music", "music"),
    Package("hyperrogue-music", "music", r"/music/"),
    Package("planetblupi-music-ogg", "music"),
    Package("singularity-music", "music"),
    Package("drascula-music", "music", r"audio/"),
    Package("asc-music", "music"),
    Package("fb-music-high", "music"),
    Package("fretsonfire-songs-muldjord", "music", r"/([^/]+)/[^/]+$"),
    Package("fretsonfire-songs-sectoid", "music", r"/([^/]+)/[^/]+$"),
    Package("hedgewars-data", "music", r"Music/"),
    Package("frozen-bubble-data", "music", r"zik"),
    Package("pingus-data", "music", r"music"),
    Package("lincity-ng-data", "music", r"music"),
    Package("extremetuxracer-data", "music", r"music"),
    Package("trackballs-data", "music", r"music"),
    Package("enigma-data", "music", r"music"),
    Package("xmoto-data", "music", r"Musics"),
    Package("colobot-common-sounds", "music", r"music"),
    Package("lomiri-sounds", "music", r"ringtones/(?!Alarm)"),
    # Short sounds of games and desktops; what is neither voice nor music.
    Package("alienblaster-data", "effects"),
    Package("pysiogame", "effects"),
    Package("bzflag-data", "effects"),
    Package("wordwarvi-sound", "effects"),
    Package("hyperrogue-music", "effects", r"/sounds/"),
    Package("oxygen-sounds", "effects"),
    Package("deepin-sound-theme", "effects"),
    Package("lomiri-sounds", "effects", r"notifications|ui"),
    Package("hedgewars-data", "effects", r"Sounds/[^/]+$"),
    Package("frozen-bubble-data", "effects", r"snd/(?!.*zik)"),
    Package("pingus-data", "effects", r"sounds"),
    Package("lincity-ng-data", "effects", r"sounds"),
    Package("extremetuxracer-data", "effects", r"sounds"),
    Package("trackballs-data", "effects", r"sfx|sounds"),
    Package("enigma-data", "effects", r"soundsets"),
    Package("colobot-common-sounds", "effects", r"sounds"),
    # The same again where a name says more: songs among the effects, and what rushes, roars and rumbles.
    Package("wordwarvi-sound", "music", r"destiny|dtox|highscore|lucky"),
    Package("alienblaster-data", "music", r"intro|playon"),
    # Left out by measure, because they hum, whistle or ring: those with a steady pitch in more than a quarter of their
    # columns, or with the same four partials strongest in more than half of them.
    Package(
        "lincity-ng-data",
        "noise",
        r"(Trafic|Water(?![34])|Fire(?!Station3)|WindMill|PowerCoal(?!Full|Med)|Industry(?!High1)|Rocket(?!Explosion|[24])"
        r"|RailTrain(?!1)|ParklandPlane|DirtTrack)[A-Za-z]*\d?\.wav",
    ),
    Package("extremetuxracer-data", "noise", r"_slide"),
    Package("wordwarvi-sound", "noise", r"volcano"),
)


@dataclass(frozen=True)
class Entry:
    """One file of the index; `path` is relative to the folder, or absolute for the shared sounds."""

    path: str
    kind: Kind
    source: str
    split: Split
    seconds: float
    real: bool
    """False where a machine spoke."""
    licence: str
    text: str | None = None


def split_of(source: str) -> Split:
    """Return the part a source belongs to: by its hash alone, so for ever."""
    if source.endswith(_OPENLY_USED):
        return "test"
    value = int.from_bytes(hashlib.sha256(f"{_SALT}:{source}".encode()).digest()[:4], "big") / 2**32
    return "test" if value < TEST_SHARE else "train"


def fetch(folder: Path, only: list[str] | None = None) -> None:
    """Download and unpack the packages that are not there yet."""
    names = sorted({package.name for package in PACKAGES})
    archives = folder / "packages"
    archives.mkdir(parents=True, exist_ok=True)
    for name in only or names:
        target = folder / "tree" / name
        if target.exists():
            continue
        if not list(archives.glob(f"{name}_*.deb")):
            subprocess.run(["apt-get", "download", "-q", name], cwd=archives, check=True)
        archive = next(archives.glob(f"{name}_*.deb"))
        partial = folder / "tree" / f".{name}"
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run(["dpkg-deb", "-x", archive, partial], check=True)
        _prune(partial)
        partial.rename(target)


def _prune(tree: Path) -> None:
    """Keep sounds and copyright notices."""
    for path in tree.rglob("*"):
        if (path.is_file() or path.is_symlink()) and not (
            path.suffix.lower() in SOUNDS or path.name == "copyright"
        ):
            path.unlink()


def index(folder: Path, shared: Path | None) -> list[Entry]:
    """Return the entries of everything that decodes, in a fixed order; of two rules for a file the later holds."""
    entries = [entry for package in PACKAGES for entry in _of_package(folder, package)]
    entries += _synthetic(folder)
    if shared is not None:
        entries += _of_shared(shared)
    return sorted({entry.path: entry for entry in entries}.values(), key=lambda entry: entry.path)


def _of_package(folder: Path, package: Package) -> Iterator[Entry]:
    tree = folder / "tree" / package.name
    for path in sorted(tree.rglob("*")):
        inside = path.relative_to(tree).as_posix()
        match = re.search(package.where, inside)
        if (
            path.suffix.lower() not in SOUNDS
            or not match
            or not path.is_file()
            or path.is_symlink()
            or "/silence/" in inside
        ):
            continue
        named = match.group(1) if match.groups() else inside
        # One person may have spoken for several packages; a track belongs to its package.
        source = (
            f"speaker {named}"
            if package.name.startswith("asterisk-core")
            else f"{package.name} {named}".strip()
        )
        seconds = _seconds(path)
        if seconds:
            licence = f"tree/{package.name}/usr/share/doc/{package.name}/copyright"
            yield Entry(
                path.relative_to(folder).as_posix(),
                package.kind,
                source,
                split_of(source),
                seconds,
                True,
                licence,
            )


def _synthetic(folder: Path) -> Iterator[Entry]:
    for path in sorted((folder / "speech-zh-synthetic").glob("*.wav")):
        split, _, _, voice = path.stem.split("_", 3)
        part: Split = "test" if split == "test" else "train"
        yield Entry(
            path.relative_to(folder).as_posix(),
            "speech",
            f"synthetic {voice}",
            part,
            _seconds(path),
            False,
            "own",
        )


def _of_shared(shared: Path) -> Iterator[Entry]:
    """The shared real sentences and tracks; the shared announcements are of both parts' voices: test by text only."""
    for path in sorted((shared / "speech-zh").glob("*.wav")):
        source = f"speaker {path.stem[:7]}"
        yield Entry(str(path), "speech", source, split_of(source), _seconds(path), True, "Apache-2.0")
    for path in sorted((shared / "music").glob("*.flac")):
        source = f"asterisk-moh-opsound-wav {path.stem}"
        yield Entry(str(path), "music", source, split_of(source), _seconds(path), True, "CC-BY-SA-3.0")


def _seconds(path: Path) -> float:
    """Return the length of a sound that libsndfile decodes, else 0."""
    try:
        if path.suffix.lower() == ".gsm":
            return path.stat().st_size / 33 * 0.02
        facts = soundfile.info(path)
        return float(facts.frames) / facts.samplerate if facts.samplerate >= 8_000 else 0.0
    except soundfile.LibsndfileError:
        return 0.0


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("fetch", "speak", "index"))
    parser.add_argument(
        "--to", type=Path, required=True, help="the folder of the sounds, outside the repository"
    )
    parser.add_argument("--only", nargs="*", help="names of packages to fetch")
    parser.add_argument("--model", type=Path, help="the voice kit (speak)")
    parser.add_argument("--shared", type=Path, help="the folder of the shared test sounds (index)")
    options = parser.parse_args()
    if options.what == "fetch":
        fetch(options.to, options.only)
    elif options.what == "speak":
        from tools.line_speech import speak

        speak(options.model, options.to / "speech-zh-synthetic")
    else:
        entries = index(options.to, options.shared)
        text = json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=0)
        (options.to / "index.json").write_text(text, encoding="utf-8")
        sys.stdout.write(f"{len(entries)} files, {sum(entry.seconds for entry in entries) / 3600:.1f} h\n")


if __name__ == "__main__":
    main()
