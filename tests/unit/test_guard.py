"""Emergency numbers are refused however they are written; ordinary lines are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.guard import NEVER_DIALLED, NeverDialledError, emergency_number, refuse_emergency


@pytest.mark.parametrize(
    "target",
    [
        "110",
        "sip:119@10.0.0.1",
        "sips:120@pbx.example:5061",
        "sip:%31%31%30@h",
        "sip:%2531%2531%2530@h",
        "tel:+86-10-110",
        "tel:1-1-0",
        "sip:0086110@x",
        "sip:+86110@h",
        "sip:010110@x",
        "sip:0915120@x",
        "sip:110;phone-context=x@h",
        "sip:110:secret@h",
        "SIP:112@h",
        " 9 1 1 ",
    ],
)
def test_emergency_numbers_are_refused(target: str) -> None:
    assert emergency_number(target) in NEVER_DIALLED
    with pytest.raises(NeverDialledError, match="never dialled"):
        refuse_emergency(target)


@pytest.mark.parametrize(
    "target",
    [
        "sip:62@127.0.0.1:5060",
        "sip:9112345@h",
        "sip:1811@h",
        "sip:09155112119@h",
        "sip:110.0.0.1",
        "sip:127.0.0.1:5062",
        "tel:+8691155120110",
        "3212345",
        "sip:line-110@h-110",
        "sip:12000@h",
    ],
)
def test_ordinary_numbers_pass(target: str) -> None:
    assert emergency_number(target) is None
    refuse_emergency(target)


@given(st.sampled_from(sorted(NEVER_DIALLED)), st.data())
def test_separators_and_escapes_do_not_hide_a_number(number: str, data: st.DataObject) -> None:
    written = ""
    for digit in number:
        written += data.draw(st.sampled_from([digit, f"%{ord(digit):02x}"]))
        written += data.draw(st.sampled_from(["", "-", ".", " ", "(", ")"]))
    prefix = data.draw(st.sampled_from(["", "0", "+86", "0086", "+860"]))
    assert emergency_number(f"sip:{prefix}{written}@127.0.0.1") == number


@given(st.text(max_size=60))
def test_any_text_is_judged_without_an_exception(text: str) -> None:
    found = emergency_number(text)
    assert found is None or found in NEVER_DIALLED
