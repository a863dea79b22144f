"""Speak Mandarin for the line benchmark: carrier announcements and invented answers of duty officers.

Called by `python -m tools.line_sources speak`. Announcement texts are those carriers are known to use; everything
else, names and offices, is invented. Train and test part by voice and by text: no voice and no sentence is in both.
Needs the environment of `tools/make_voices.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import soundfile

from tools.make_voices import LINE_RATE_HZ, Clip, Speaker, telephone

TRAIN_VOICES: Final = ("zf_xiaobei", "zm_yunjian", "zf_xiaoni")
TEST_VOICES: Final = ("zf_xiaoxiao", "zm_yunxi")

TRAIN_ANNOUNCEMENTS: Final = (
    "您好，您所拨打的号码是空号，请核对后再拨。",
    "您好，您拨叫的用户已关机，请您稍后再拨。",
    "对不起，您拨的用户暂时无法接通，请稍后再拨。",
    "您拨打的电话正在通话中，请稍后再拨。",
    "您好，您拨叫的用户暂时无人接听，请您稍后再拨。",
    "您拨打的用户已开通中国移动来电提醒业务，我们将短信通知机主您的来电，本次通话免费。",
    "您拨打的电话已暂停服务。",
    "您好，您已进入语音信箱，请在滴声后留言。",
    "您拨打的用户已设置呼叫转移，正在为您转接，请稍候。",
    "请输入分机号，按井号键结束，查号请拨零。",
)
TEST_ANNOUNCEMENTS: Final = (
    "您好，您拨打的电话已关机。",
    "用户忙，请稍后再拨。",
    "您拨打的电话无人接听，请稍后再拨。",
    "您好，您拨叫的用户已停机。",
    "您拨打的用户不在服务区或已关机，如需留言请按一。",
    "您好，请不要挂机，您拨打的电话正在通话中。",
    "您的呼叫正在接通中，请稍后。",
    "您拨打的用户已开通天翼通信助理服务，语音留言请按一，人工服务请按二，感谢通知请挂机。",
    "您拨的是本地手机，请不要加拨零。",
)
TRAIN_ANSWERS: Final = (
    "您好，云溪县应急管理局值班室，请问您是哪里？",
    "喂，你好，柳河镇政府值班室，我姓孙。",
    "今天带班的是张副局长，他在隔壁办公室，我去叫他。",
    "现在雨不大，河道水位正常，各个村都报过平安了。",
    "嗯，好的，我记一下，您说。",
    "值班日志写好了，交接班的时候签过字了。",
    "我是今天的值班员李晓明，从早上八点值到明天早上八点。",
    "稍等，我看一下值班表，今天是王主任带班。",
    "市里的值班电话我知道，就贴在桌子前面的墙上。",
    "对，三十分钟之内电话报告，一小时之内书面报告。",
)
TEST_ANSWERS: Final = (
    "你好，这里是青石乡值班室，我是小马，有什么事请讲。",
    "喂，哪位？",
    "没有，今天一切正常，没有接到什么情况。",
    "领导刚刚去水库检查了，估计半个小时以后回来，要不要我让他给您回个电话？",
    "我们这边两个人值班，另外一个同志在巡查。",
    "电话号码是六二三八，后面是零九一五。",
    "您好，县林业局森林防火指挥部办公室，值班员赵敏。",
    "知道了，我马上向带班领导汇报，然后书面报上去。",
    "不好意思，刚才信号不太好，您再说一遍可以吗？",
)


def clips() -> list[tuple[str, Clip]]:
    """Return (split, clip) of everything that is spoken; the name says text and voice."""
    parts = (
        ("train", TRAIN_VOICES, "announcement", TRAIN_ANNOUNCEMENTS),
        ("train", TRAIN_VOICES, "answer", TRAIN_ANSWERS),
        ("test", TEST_VOICES, "announcement", TEST_ANNOUNCEMENTS),
        ("test", TEST_VOICES, "answer", TEST_ANSWERS),
    )
    return [
        (split, Clip(f"{split}_{what}_{number:02d}_{voice}", voice, text, 0.9 + 0.05 * (number % 5)))
        for split, voices, what, texts in parts
        for number, text in enumerate(texts)
        for voice in voices
    ]


def speak(model: Path, folder: Path, threads: int = 1) -> int:
    """Write the clips that `folder` lacks as WAV of 8 kHz; return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    speaker = Speaker(model, threads)
    for _, clip in clips():
        path = folder / f"{clip.name}.wav"
        if not path.exists():
            soundfile.write(path, telephone(speaker.say(clip)), LINE_RATE_HZ, subtype="PCM_16")
    return len(clips())
