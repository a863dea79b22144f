"""Speak the Mandarin clips of the simulated duty lines into sip/simulator/sounds/.

    python tools/make_voices.py --model FOLDER [--only NAME ...] [--out FOLDER]

FOLDER (or the environment variable `DUTYRING_TTS_MODEL`) holds Kokoro-82M v1.0 as ONNX (`*.onnx`), its `vocab.json` and
one `voices/NAME.bin` per speaker. Needs `onnxruntime numpy soundfile soxr "misaki[zh]"` in an environment of its own;
DutyRing itself never needs the model, only the clips. Every name, office and number that is spoken is invented.

Each clip goes the way of a telephone handset: 300-3400 Hz, 8 kHz, and its active speech at -15 dBm0 (full scale sine =
+3.14 dBm0, G.711).
"""

from __future__ import annotations

import argparse
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import soundfile
import soxr
from misaki import zh

MODEL_RATE_HZ = 24_000
LINE_RATE_HZ = 8_000
ACTIVE_LEVEL_DBM0 = -15.0
FULL_SCALE_SINE_DBM0 = 3.14
PEAK_LIMIT = 0.9
"""Of full scale, so that A-law never clips."""
SOUNDS = Path(__file__).resolve().parent.parent / "sip" / "simulator" / "sounds"


@dataclass(frozen=True)
class Clip:
    """One sentence or two, and who speaks them."""

    name: str
    voice: str
    text: str
    speed: float = 1.0


CLIPS = (
    Clip("officer_01", "zf_xiaobei", "您好，这里是云溪县应急管理局值班室，我是值班员周敏。"),
    Clip("officer_02", "zm_yunjian", "您好，云溪县水利局防汛值班室，我是今天的值班员陈国栋，请讲。"),
    Clip("officer_03", "zf_xiaoni", "您好，云溪县教育局值班室，我是值班员林晓燕，请问您是哪里？"),
    Clip("officer_04", "zm_yunxi", "您好，这里是云溪县交通运输局值班室，值班员赵启明。"),
    Clip("officer_05", "zf_xiaoxiao", "您好，云溪县卫生健康局总值班室，我是值班员何雨桐，请问有什么事？"),
    Clip("officer_06", "zm_yunjian", "喂，你好，柳河镇人民政府值班室，我姓孙，孙建军。", 1.1),
    Clip("officer_07", "zf_xiaobei", "您好，这里是云溪县林业局森林防火值班室，我是值班员吴佳。", 1.1),
    Clip("officer_08", "zm_yunxi", "你好，青石乡政府值班室，我是值班员马小军，请讲。", 1.05),
    Clip("officer_09", "zf_xiaoni", "您好，云溪县住房和城乡建设局值班室，值班员郑淑华为您接听。"),
    Clip("officer_10", "zf_xiaoxiao", "您好，云溪县自然资源局地质灾害值班室，我是值班员黄思雨。", 0.95),
    Clip(
        "officer_11", "zm_yunjian", "你好，这里是白杨镇值班室，我是值班员徐立强，请问是县委值班室吗？", 1.05
    ),
    Clip("officer_12", "zm_yunxi", "您好，云溪县市场监督管理局值班室，我是值班员高文博。", 0.95),
    Clip("reply_01", "zf_xiaobei", "今天的带班领导是副局长刘振华，他现在就在办公室。"),
    Clip("reply_02", "zm_yunjian", "今天带班领导是王局长，水库水位正常，没有异常情况。"),
    Clip("reply_03", "zf_xiaoni", "好的，带班领导是李副局长，需要我请他给您回电话吗？"),
    Clip("reply_04", "zm_yunxi", "今天带班领导是副局长钱海涛，目前各路段通行正常。"),
    Clip("reply_05", "zf_xiaoxiao", "带班领导是宋副局长，今天没有突发情况，交接班记录已经填好了。"),
    Clip("mobile_01", "zm_yunjian", "喂，你好，我是值班的，我现在在外面，电话转到我手机上了。", 1.1),
    Clip("empty_number", "zf_xiaoxiao", "您好，您拨打的号码是空号，请核对后再拨。", 0.95),
    Clip("powered_off", "zf_xiaoxiao", "您好，您拨打的电话已关机，请稍后再拨。", 0.95),
    Clip("not_reachable", "zf_xiaoni", "对不起，您拨叫的用户暂时无法接通，请稍后再拨。", 0.95),
    Clip("in_call", "zf_xiaobei", "您好，您拨打的电话正在通话中，请稍后再拨。", 0.95),
    Clip("mailbox", "zf_xiaoni", "您好，您拨打的用户暂时无法接听，已为您转入语音信箱，请在滴声后留言。"),
    Clip("transfer_notice", "zf_xiaobei", "您好，您拨打的用户已设置呼叫转移，正在为您转接，请稍候。", 0.95),
    Clip(
        "switchboard_menu",
        "zf_xiaoxiao",
        "您好，欢迎致电云溪县政务服务中心。办公室请按一，投诉请按二，查号请按零，其他业务请直拨分机号码。",
    ),
    Clip("out_of_area", "zf_xiaoni", "您好，您拨打的用户不在服务区，请稍后再拨。", 0.95),
    Clip(
        "assistant",
        "zf_xiaobei",
        "您好，您拨打的用户已开通天翼通信助理服务，语音留言请按一，人工服务请按二。",
    ),
    Clip("arrears", "zf_xiaoxiao", "对不起，您的电话已欠费，请您续缴话费，谢谢。", 0.95),
)


class Speaker:
    """The model with its Mandarin voices."""

    def __init__(self, folder: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        model = next(folder.glob("*.onnx"))
        self._model = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokens = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._phonemes = zh.ZHG2P()
        self._voices = folder / "voices"

    def say(self, clip: Clip, pause_s: float = 0.3) -> Any:
        """Return mono float32 samples at 24 kHz, `pause_s` of silence between sentences."""
        pause = np.zeros(int(pause_s * MODEL_RATE_HZ), np.float32)
        parts: list[Any] = []
        for sentence in filter(str.strip, re.split(r"(?<=[。！？])", clip.text)):
            parts += [pause, self._sentence(sentence, clip)]
        return np.concatenate(parts[1:])

    def _sentence(self, sentence: str, clip: Clip) -> Any:
        phonemes = self._phonemes(sentence)[0]
        tokens = [self._tokens[phoneme] for phoneme in phonemes if phoneme in self._tokens]
        styles = np.fromfile(self._voices / f"{clip.voice}.bin", "<f4").reshape(-1, 1, 256)
        feeds = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": styles[min(len(tokens), len(styles)) - 1].reshape(1, 256),
            "speed": np.array([clip.speed], np.float32),
        }
        return _trimmed(self._model.run(None, feeds)[0].ravel())


def _trimmed(samples: Any) -> Any:
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    margin = MODEL_RATE_HZ * 3 // 100
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]


def telephone(samples: Any) -> Any:
    """Bring model output to a telephone line: 8 kHz, 300-3400 Hz, active speech at -15 dBm0; int16."""
    narrow = soxr.resample(samples.astype(np.float64), MODEL_RATE_HZ, LINE_RATE_HZ, quality="VHQ")
    spectrum = np.fft.rfft(narrow, 2 * len(narrow))
    hertz = np.fft.rfftfreq(2 * len(narrow), 1 / LINE_RATE_HZ)
    # Raised-cosine edges of 100 Hz: no ringing that a listener could hear.
    edges = np.clip((hertz - 200) / 100, 0, 1) * np.clip((3500 - hertz) / 100, 0, 1)
    filtered = np.fft.irfft(spectrum * (0.5 - 0.5 * np.cos(np.pi * edges)))[: len(narrow)]
    full_scale_rms = 10 ** ((ACTIVE_LEVEL_DBM0 - FULL_SCALE_SINE_DBM0) / 20) / np.sqrt(2)
    level = filtered * (full_scale_rms / active_rms(filtered))
    return np.round(np.clip(level, -PEAK_LIMIT, PEAK_LIMIT) * 32767).astype(np.int16)


def active_rms(samples: Any) -> float:
    """RMS over the 20 ms frames within 25 dB of the loudest, in the manner of ITU-T P.56."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    power = np.mean(frames**2, axis=1)
    return float(np.sqrt(np.mean(power[power > power.max() * 10**-2.5])))


def main() -> None:
    """Make the clips and the table of their texts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=os.environ.get("DUTYRING_TTS_MODEL"), required=False)
    parser.add_argument("--out", type=Path, default=SOUNDS)
    parser.add_argument("--only", nargs="*", default=[clip.name for clip in CLIPS])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.model is None or not any(Path(options.model).glob("*.onnx")):
        parser.error("--model (or DUTYRING_TTS_MODEL) must name the folder with the .onnx model and voices/")
    speaker = Speaker(Path(options.model), options.threads)
    for clip in CLIPS:
        if clip.name in options.only:
            samples = telephone(speaker.say(clip))
            soundfile.write(options.out / f"{clip.name}.flac", samples, LINE_RATE_HZ, subtype="PCM_16")
    table = [f'[{clip.name}]\nvoice = "{clip.voice}"\ntext = "{clip.text}"\n' for clip in CLIPS]
    (options.out / "transcripts.toml").write_text("\n".join(table), encoding="utf-8")


if __name__ == "__main__":
    main()
