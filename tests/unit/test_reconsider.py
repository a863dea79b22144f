"""What the words add to a record after the call, and to the analysis of a sound file."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer

from app.checks.facts import Facts
from app.checks.rules import Exemptions, Rules
from app.checks.verdict import judge
from app.commands.analyze import AnalyseOptions, run
from sip.call_log import CallLog
from sip.placing import failed_record
from sip.progress import analyse_file
from sip.progress.transcript import Transcript, Utterance
from sip.reconsider import reconsider
from sip.record import TimelineEntry
from tests.line_sounds import BUSY, RINGBACK, cadence, silence, through, voice
from tests.unit.test_progress_line_state import EARLY, line, record_of


def words(*utterances: tuple[float, float, str]) -> Transcript:
    return Transcript("test", "zh", tuple(Utterance(s * 1e3, e * 1e3, text) for s, e, text in utterances))


def test_words_name_the_state_and_the_record_given_stays_as_it_was() -> None:
    before = record_of(CallLog(status=480), EARLY).to_dict()
    kept = copy.deepcopy(before)
    transcript = words((1.0, 4.5, "您好，您拨打的电话已关机，请稍后再拨"))
    after = reconsider(before, transcript)
    assert before == kept
    assert (after["outcome"], after["line_state"]) == ("unreachable", "powered_off")
    assert after["transcript"] == transcript.to_json()
    assert {a["road"] for a in after["announcements"]} == {"words", "signalling"}
    assert after["line_state_vote"]["roads"] == ["words", "signalling"]
    assert reconsider(after, transcript) == after


def test_a_200_with_an_announcement_turns_out_to_be_no_answer() -> None:
    log = CallLog(
        connected_ms=500.0, status=200, timeline=[TimelineEntry(500.0, "received", {"status": 200})]
    )
    before = record_of(log, EARLY).to_dict()
    assert before["outcome"] == "answered"
    after = reconsider(before, words((1.0, 4.5, "对不起，您拨打的号码是空号，请核对后再拨")))
    assert (after["outcome"], after["answered_ms"], after["answered_by"]) == ("unobtainable", None, None)
    assert after["after_answer"] == {"segments": []}
    assert after["early_media"]["kind"] == "announcement"
    assert "answered" not in {entry["event"] for entry in after["timeline"]}
    assert after["connected_ms"] == 500.0
    assert after.keys() == before.keys()


def test_words_tell_a_mailbox_from_a_person() -> None:
    log = CallLog(first_180_ms=100.0, connected_ms=900.0, status=200)
    before = record_of(log, line(silence(1.0), voice(4.0), silence(3.0))).to_dict()
    assert before["answered_by"] == "human"
    mailbox = reconsider(before, words((1.0, 5.0, "您好，您已进入语音信箱，请在滴声后留言")))
    assert (mailbox["outcome"], mailbox["answered_by"]) == ("answered", "machine")
    officer = reconsider(before, words((1.0, 5.0, "您好，我们这个电话停机检修过，我是值班员周敏")))
    assert (officer["outcome"], officer["answered_by"], officer["line_state"]) == ("answered", "human", None)
    assert officer["three_ring"] == before["three_ring"] == "within"


def test_what_an_officer_says_later_is_no_announcement() -> None:
    log = CallLog(first_180_ms=100.0, connected_ms=900.0, status=200)
    before = record_of(log, line(silence(1.0), voice(2.0), silence(5.0), voice(3.0), silence(1.0))).to_dict()
    told = words((1.0, 3.0, "喂，您好，值班室"), (8.0, 11.0, "我打了，您拨打的用户已关机，就是这么说的"))
    after = reconsider(before, told)
    assert (after["outcome"], after["answered_by"], after["line_state"]) == ("answered", "human", None)
    assert (after["forwarding"]["detected"], after["forwarding"]["evidence"]) == (False, [])


@pytest.mark.parametrize(
    "text",
    ["对不起，我们主任不方便接听，请稍后再拨", "我们这里网络忙，请您稍后再拨", "您打的电话我们主任关机了"],
)
def test_an_officer_who_speaks_at_once_and_without_a_greeting_has_answered(text: str) -> None:
    log = CallLog(first_180_ms=100.0, connected_ms=900.0, status=200)
    before = record_of(log, line(silence(1.0), voice(3.0), silence(3.0))).to_dict()
    after = reconsider(before, words((1.0, 4.0, text)))
    assert (after["outcome"], after["answered_ms"], after["forwarding"]["grade"]) == (
        "answered",
        900.0,
        "none",
    )


def test_who_takes_the_call_after_the_networks_notice_has_answered() -> None:
    """A network answers, tells that they are in a call, and then they take ours."""
    log = CallLog(first_180_ms=100.0, connected_ms=900.0, status=200)
    before = record_of(log, line(silence(1.0), voice(3.0), silence(1.5), voice(2.0, seed=4))).to_dict()
    notice = (1.0, 4.0, "您好，您拨打的电话正在通话中，请不要挂机")
    assert reconsider(before, words(notice))["outcome"] == "busy"
    taken = reconsider(before, words(notice, (5.5, 7.5, "喂，您好，值班室")))
    assert (taken["outcome"], taken["answered_ms"]) == ("answered", 900.0)


def test_words_of_our_own_line_are_an_alarm_of_the_record() -> None:
    before = record_of(CallLog(status=480), EARLY).to_dict()
    after = reconsider(before, words((1.0, 4.5, "对不起，您的电话已欠费，请您续交话费")))
    assert (after["outcome"], after["line_state"]) == ("network_failure", "arrears")
    assert after["alarms"] == ["account_overdue"]
    assert judge(Facts.from_json(after), Rules(), Exemptions()).code == "our_side"


def test_a_cancelled_call_stays_cancelled() -> None:
    before = record_of(CallLog(status=487, interrupted=True), EARLY).to_dict()
    after = reconsider(before, words((1.0, 4.5, "您拨打的电话已关机")))
    assert (after["outcome"], after["line_state"]) == ("cancelled", "powered_off")


def test_a_voice_is_a_spoken_color_ring_from_the_180_on_and_not_before() -> None:
    """Ringback, a voice before the 180 and an announcement: words make no 彩铃 of the voice."""
    sound = (
        cadence(RINGBACK, 1.2)[0],
        voice(4.0),
        silence(1.0),
        voice(2.0, seed=7),
        silence(1.0),
        voice(2.0),
    )
    log = CallLog(connected_ms=9_000.0, status=200)
    before = record_of(log, line(*sound, silence(1.0))).to_dict()
    assert before["early_media"]["kind"] == "speech"
    after = reconsider(before, words((6.3, 8.2, "正在为您转接，请稍候")))
    assert after["early_media"]["kind"] == "speech"


def test_no_words_change_nothing_but_the_transcript() -> None:
    log = CallLog(first_180_ms=100.0, connected_ms=900.0, status=200)
    before = record_of(log, line(silence(1.0), voice(2.0), silence(5.0))).to_dict()
    after = reconsider(before, Transcript())
    assert {name for name in before if before[name] != after[name]} == {"transcript"}


def test_a_mobile_network_s_words_on_a_wired_line_are_evidence_of_forwarding() -> None:
    before = record_of(CallLog(status=480), EARLY).to_dict()
    assert before["forwarding"]["grade"] == "none"
    after = reconsider(before, words((1.0, 4.5, "您好，您拨打的电话已关机，请稍后再拨")))["forwarding"]
    assert (after["detected"], after["grade"]) == (True, "strong")
    assert [item["kind"] for item in after["evidence"]] == ["mobile_announcement"]
    identity = {"kind": "asserted_identity", "grade": "strong", "t_ms": 5.0, "detail": "proof"}
    both = copy.deepcopy(before)
    both["forwarding"] = {
        "detected": True, "grade": "strong", "target": "13900001811", "target_class": "mobile",
        "condition": "unknown", "evidence": [identity],
    }  # fmt: skip
    agreed = reconsider(both, words((1.0, 4.5, "您好，您拨打的电话已关机，请稍后再拨")))["forwarding"]
    assert (agreed["grade"], agreed["target"]) == ("near_proof", "13900001811")


def test_what_was_taken_for_color_ring_and_was_an_announcement_is_no_evidence() -> None:
    heard = line(silence(1.0), voice(3.0), silence(3.0), voice(2.0, seed=4), silence(2.0))
    log = CallLog(first_180_ms=100.0, connected_ms=6_800.0, status=200)
    before = record_of(log, heard).to_dict()
    assert before["early_media"]["kind"] == "crbt"
    assert [item["kind"] for item in before["forwarding"]["evidence"]] == ["crbt"]
    told = words((1.0, 4.0, "请不要挂机，您拨打的电话正在通话中"), (7.0, 9.0, "您好，值班室请讲"))
    after = reconsider(before, told)
    assert (after["outcome"], after["answered_by"]) == ("answered", "human")
    assert after["early_media"]["kind"] == "announcement"
    assert after["forwarding"]["grade"] == "none"
    assert after["forwarding"]["evidence"] == []


def test_a_call_that_never_left_is_reconsidered_too() -> None:
    before = failed_record("sip:1@gov.example", "no socket").to_dict()
    after = reconsider(before, words((0.0, 2.0, "您拨打的电话已关机")))
    assert (after["outcome"], after["our_failure"]) == ("network_failure", True)


# --- a sound file -------------------------------------------------------------------------------------------------


def sound_file(folder: Path, *parts: np.ndarray) -> Path:
    path = folder / "line.wav"
    soundfile.write(path, through("alaw", np.concatenate(parts)), 8_000)
    return path


def test_analyze_takes_a_transcript(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sound_file(tmp_path, silence(1.0), voice(3.5), silence(1.0))
    told = tmp_path / "words.json"
    transcript = words((1.0, 4.5, "您好，您拨打的电话已关机，请稍后再拨"))
    told.write_text(json.dumps(transcript.to_json()), encoding="utf-8")
    assert run(path, AnalyseOptions(transcript=told), as_json=True) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["line_state"], result["early_media"]["kind"]) == ("powered_off", "announcement")
    assert [said["meaning"] for said in result["announcements"]] == ["powered_off"]
    assert "announcement" in {s["kind"] for s in result["segments"]}
    assert result["line_state_vote"]["roads"] == ["words"]
    assert run(path, AnalyseOptions(), as_json=True) == 0
    plain = json.loads(capsys.readouterr().out)
    assert (plain["line_state"], plain["announcements"]) == (None, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "no JSON"), ("{}", "schema: must be"), ('{"schema": "dutyring.transcript/1"}', "utterances: must be a list")],
)  # fmt: skip
def test_analyze_names_what_is_wrong_with_a_transcript(tmp_path: Path, content: str, said: str) -> None:
    path, told = sound_file(tmp_path, voice(1.0)), tmp_path / "words.json"
    told.write_text(content, encoding="utf-8")
    with pytest.raises(typer.BadParameter, match=said):
        run(path, AnalyseOptions(transcript=told), as_json=True)
    with pytest.raises(typer.BadParameter, match="cannot be read"):
        run(path, AnalyseOptions(transcript=tmp_path / "none.json"), as_json=True)


def test_the_tones_of_a_file_name_the_state_of_its_line(tmp_path: Path) -> None:
    busy = cadence(BUSY, 4.0)[0]
    assert analyse_file(sound_file(tmp_path, silence(1.0), busy))["line_state"] == "busy"
    rang = analyse_file(sound_file(tmp_path, cadence(RINGBACK, 10.0)[0], busy))
    assert rang["line_state"] == "no_answer"
    assert [said["road"] for said in rang["announcements"]] == ["tone"]
