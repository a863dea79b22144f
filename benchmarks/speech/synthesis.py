"""Speaks the corpus with the voice kit of `DUTYRING_TEST_TTS` into a folder, once for each answer.

    python benchmarks/speech/synthesis.py FOLDER [--names 200 --strangers 60 --numbers 60]

It runs in an environment of its own, with onnxruntime, numpy, soundfile, soxr and misaki[zh]; the service needs none of
them. Sound is 24 kHz mono FLAC; band, code and noise of a telephone line are added where the sound is used.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.speech.corpus import answers

RATE_HZ = 24_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    for kind, count in (("names", 200), ("strangers", 60), ("numbers", 60)):
        parser.add_argument(f"--{kind}", type=int, default=count)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    kit = os.environ.get("DUTYRING_TEST_TTS")
    if not kit:
        sys.exit("DUTYRING_TEST_TTS is not set: it names the folder with the voice kit")
    sys.path.insert(0, str(Path(kit) / "kokoro-zh"))
    import soundfile
    from say_zh import Speaker

    speaker = Speaker(given.threads)
    given.folder.mkdir(parents=True, exist_ok=True)
    for answer in answers(given.names, given.strangers, given.numbers):
        path = given.folder / f"{answer.key}.flac"
        if path.exists():
            continue
        samples = speaker.say(answer.text, answer.voice)
        draft = path.with_suffix(".part.flac")
        soundfile.write(draft, samples, RATE_HZ)
        draft.replace(path)
        print(answer.key, f"{len(samples) / RATE_HZ:.1f} s", answer.text, flush=True)


if __name__ == "__main__":
    main()
