"""What is never dialled is refused however it is written; ordinary lines are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.guard import (
    DEFAULT_DENY,
    NEVER_DIALLED,
    AnswerKeyError,
    DeniedNumberError,
    DialPolicy,
    NeverDialledError,
    NotAllowedError,
    check_digits_sent,
    emergency_number,
    refuse_emergency,
)

SUPERIOR = "0917-3262000"
KEYS = frozenset({SUPERIOR, "sip:duty@city.example", "8001", "sip:2002@city.example:5080"})
OPEN = DialPolicy.open(answer_keys=KEYS, area_code="917")


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
        "１１０",
        "١١٠",
        "1\u200b1\u202d0",
        "11\n0",
        "9,110",
        "9w110",
        "9W110",
        "0917-3262000转110",
        "3262000 ext 119",
        "*31#110",
        "11w0",
        "9;110",
        "tel:3262000;ext=110",
        "tel:3262000;postd=pp120",
        "17909110",
        "17909010110",
        "+86(0)110",
        "sip:110",
        "sip:%252531%252531%252530@h",
        "[110]",
        "1/1/0",
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
        "0917-3262000转1101",
        "3262000,6001",
        "duty110",
        "9110",
        "0110-line",
        "12119",
        "96110",
        "12345",
        "sip:62:110@h",
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


@pytest.mark.parametrize(
    "number",
    [
        "0085221234567",
        "+852 2123 4567",
        "+1 650 555 0100",
        "tel:+886-2-12345678",
        "sip:+442071838750@sbc.example",
        "sip:0044%32071838750@h",
        "００８５２２１２３４５６７",
        "+870 773 123456",
        "+881612345678",
        "168-88123",
        "16012345",
        "0917-16812345",
        "+86 917 16812345",
        "016812345",
        "12590123456",
        "101581234",
        "1015912",
        "17909 0917 3262000",
        "12593 13912345678",
        "1180813912345678",
        "10193 13912345678",
        "*31#0085221234567",
        "*31#16812345",
        "9,16812345",
        "9w0085221234567",
        "62,+85221234567",
    ],
)
@pytest.mark.parametrize("trunk", [True, False])
def test_premium_and_foreign_numbers_are_denied(number: str, trunk: bool) -> None:
    with pytest.raises(DeniedNumberError, match="denied") as caught:
        DialPolicy.open().check(number, trunk=trunk)
    assert caught.value.pattern in DEFAULT_DENY


@pytest.mark.parametrize(
    "number",
    [
        "0917-3262001",
        "+869173262001",
        "0086 917 3262001",
        "010-58881234",
        "021-60012345",
        "0755-83262000",
        "0916-8123456",
        "9168123456",
        "16612345678",
        "16212345678",
        "+86 165 1234 5678",
        "16712345678",
        "13491234567",
        "17401234567",
        "1601",
        "1680",
        "1799",
        "2001234",
        "3001234",
        "400-168-1234",
        "12345",
        "95588",
        "96168",
        "12306",
        "10086",
        "62",
        "sip:62@127.0.0.1:5062",
        "sip:duty@pbx.example",
        "0917-3262001转6001",
    ],
)
def test_ordinary_lines_may_be_dialled(number: str) -> None:
    OPEN.check(number)
    OPEN.check(number, trunk=False)


def test_a_number_is_looked_at_as_it_leaves_and_as_it_was_typed() -> None:
    with pytest.raises(NeverDialledError, match="911"):
        OPEN.check("11", "911", access_code="9")
    with pytest.raises(NeverDialledError, match="110"):
        OPEN.check("66", "sip:9110@pbx.example", access_code="9")
    with pytest.raises(NeverDialledError, match="110"):
        OPEN.check("110", "62")
    with pytest.raises(DeniedNumberError):
        OPEN.check("66", "sip:90085221234567@pbx.example;user=phone", access_code="9")
    with pytest.raises(DeniedNumberError):
        OPEN.check("85221234567", "0085221234567")
    with pytest.raises(DeniedNumberError):
        OPEN.check("0085221234567", "85221234567")
    with pytest.raises(AnswerKeyError):
        OPEN.check("66", "93262000", access_code="9")


def test_an_access_code_of_0_before_a_long_distance_number_is_not_abroad() -> None:
    OPEN.check("0917-3262001", "sip:009173262001@pbx.example", access_code="0")
    OPEN.check("13912345678", "0013912345678", access_code="0")


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("9110", NeverDialledError),
        ("9010110", NeverDialledError),
        ("900852 2123 4567", DeniedNumberError),
        ("916812345", DeniedNumberError),
        ("93262000", AnswerKeyError),
    ],
)
def test_on_a_trunk_an_outside_line_is_looked_through_unasked(
    written: str, error: type[NeverDialledError]
) -> None:
    with pytest.raises(error):
        OPEN.check(written)
    OPEN.check(written, trunk=False)


@pytest.mark.parametrize(
    "written",
    [
        SUPERIOR,
        "+869173262000",
        "0086-917-3262000",
        "3262000",
        "326 2000",
        "３２６２０００",
        "tel:+86-917-3262000",
        "sip:09173262000@any.example",
        "sip:3262000;phone-context=+86917@h",
        "sip:%33262000@h",
        "0917-3262000转6001",
        "9w3262000",
        "17909 0917 3262000",
        "sip:duty@city.example;transport=tcp",
        "SIP:Duty@CITY.example:5070",
        "8001",
        "sip:8001@any.example",
        "sip:2002@city.example",
    ],
)
@pytest.mark.parametrize("trunk", [True, False])
def test_an_answer_key_is_never_dialled_and_never_shown(written: str, trunk: bool) -> None:
    policy = DialPolicy(deny=(), answer_keys=KEYS, allow=frozenset({written}), area_code="917")
    with pytest.raises(AnswerKeyError) as caught:
        policy.check(written, trunk=trunk)
    shown = f"{caught.value} {caught.value.number} {caught.value.args} {policy!r}"
    assert "3262000" not in shown
    assert "8001" not in shown
    assert "city" not in shown


@pytest.mark.parametrize(
    "other",
    ["0917-3262001", "029-3262000", "sip:duty@county.example", "sip:2002@county.example", "2002", "62000"],
)
def test_what_is_no_answer_key_passes(other: str) -> None:
    OPEN.check(other)


def test_without_an_area_of_ours_a_local_number_may_be_the_key() -> None:
    with pytest.raises(AnswerKeyError):
        DialPolicy.open(answer_keys=frozenset({SUPERIOR})).check("3262000")
    with pytest.raises(AnswerKeyError):
        DialPolicy.open(answer_keys=frozenset({"3262000"})).check(SUPERIOR)


def test_a_trunk_call_needs_a_list_unless_all_numbers_are_opened() -> None:
    with pytest.raises(NotAllowedError, match="no list"):
        DialPolicy().check("0917-3262001")
    DialPolicy().check("sip:62@127.0.0.1", trunk=False)
    DialPolicy.open().check("0917-3262001")
    with pytest.raises(NotAllowedError, match="not among"):
        DialPolicy(allow=frozenset()).check("62")


@pytest.mark.parametrize(
    ("typed", "allowed"),
    [
        ("09173262001", True),
        ("+86 917 326 2001", True),
        ("3262001", True),
        ("sip:3262001@pbx.example", True),
        ("0917-3262001转6001", True),
        ("3262002", False),
        ("029-3262001", False),
        ("93262001", False),
        ("3262001,13912345678", False),
        ("62", True),
        ("63", False),
        ("sip:duty@pbx.example", True),
        ("sip:duty@other.example", False),
        ("12345", True),
        ("0917-12345", False),
    ],
)
def test_the_list_is_searched_in_any_writing(typed: str, allowed: bool) -> None:
    listed = frozenset({"(0917) 3262001", "62", "sip:duty@pbx.example", "12345"})
    policy = DialPolicy(allow=listed, area_code="917")
    if allowed:
        policy.check(typed)
    else:
        with pytest.raises(NotAllowedError):
            policy.check(typed)


def test_being_on_the_list_opens_neither_emergency_nor_denied_numbers() -> None:
    policy = DialPolicy(allow=frozenset({"110", "16812345", "+85221234567"}))
    for number in ("110", "16812345", "+85221234567"):
        with pytest.raises(NeverDialledError) as caught:
            policy.check(number)
        assert not isinstance(caught.value, NotAllowedError)


@pytest.mark.parametrize(
    ("pattern", "denied", "passes"),
    [
        ("0917*", "+869173262000", "029-88881234"),
        ("0917*", "3262000", "6262"),
        ("139*", "+86 13912345678", "13812345678"),
        ("+86139*", "13912345678", "13812345678"),
        ("+852*", "0085221234567", "+85321234567"),
        ("00853*", "+85321234567", "0085221234567"),
        ("62", "sip:62@h", "sip:621@h"),
        ("32620??", "3262011", "3262100"),
    ],
)
def test_patterns_are_compared_in_every_form(pattern: str, denied: str, passes: str) -> None:
    policy = DialPolicy.open(deny=(pattern,), area_code="917")
    policy.check(passes)
    with pytest.raises(DeniedNumberError, match="match"):
        policy.check(denied)


@pytest.mark.parametrize("pattern", ["", "1*1", "abc", "++1", "*1"])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="patterns"):
        DialPolicy(deny=(pattern,))


@pytest.mark.parametrize(
    "digits",
    ["110", "9w110", "ww110#", "9110", "0,120", "w1w1w0", "6001w119", "*9110#", "9w0917110", "１１０"],
)
def test_digits_after_the_answer_reach_no_emergency_number(digits: str) -> None:
    with pytest.raises(NeverDialledError, match="digits to send"):
        check_digits_sent(digits)
    with pytest.raises(NeverDialledError):
        OPEN.check_digits_sent(digits)


@pytest.mark.parametrize("digits", ["ww6001#", "1", "1w2", "0", "*9#", "6110", "1101", "", "ABCD"])
def test_an_extension_may_be_sent_after_the_answer(digits: str) -> None:
    check_digits_sent(digits)
    OPEN.check_digits_sent(digits)


@pytest.mark.parametrize(
    ("digits", "error"),
    [
        ("9w3262000", AnswerKeyError),
        ("909173262000", AnswerKeyError),
        ("9w0085221234567", DeniedNumberError),
        ("900852 21234567", DeniedNumberError),
        ("9w16812345#", DeniedNumberError),
    ],
)
def test_digits_after_the_answer_reach_no_key_and_no_denied_number(
    digits: str, error: type[NeverDialledError]
) -> None:
    with pytest.raises(error):
        OPEN.check_digits_sent(digits)


def test_an_extension_that_is_a_key_elsewhere_may_be_sent() -> None:
    OPEN.check_digits_sent("ww8001#")


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(["", "9", "0"]), st.booleans())
def test_any_target_is_passed_or_refused(target: str, dialled: str, access: str, trunk: bool) -> None:
    try:
        OPEN.check(target, dialled, access, trunk)
    except NeverDialledError:
        return
    assert emergency_number(target) is None
    assert emergency_number(dialled) is None


@given(st.data(), st.sampled_from(["0917", "+86917", "0086917", "86917", "917", "", "9w", "tel:0917"]))
def test_no_writing_hides_an_answer_key(data: st.DataObject, prefix: str) -> None:
    gap = st.sampled_from(["", " ", "-", ".", "\u200b", "（", "%20"])
    wide = st.booleans()
    text = "".join(
        (chr(ord(digit) + 0xFEE0) if data.draw(wide) else digit) + data.draw(gap) for digit in "3262000"
    )
    with pytest.raises(AnswerKeyError):
        OPEN.check(prefix + text)


@given(
    st.sampled_from(["010", "021", "029", "0755", "0916", "0917", "0911", "+8610", "0086917", "+86 911 "])
    | st.sampled_from(["", "0", "+86", "0086"]),
    st.data(),
)
def test_no_ordinary_number_is_refused(prefix: str, data: st.DataObject) -> None:
    digits = st.text("0123456789", min_size=9, max_size=9)
    if prefix.lstrip("+0").removeprefix("86"):
        number = data.draw(st.sampled_from("2345678")) + data.draw(digits)[:7]
    else:
        start = data.draw(
            st.sampled_from(["130", "139", "152", "162", "165", "166", "167", "186", "191", "199"])
        )
        number = start + data.draw(digits)[:8]
    policy = DialPolicy.open(area_code="917")
    for access in ("", "9", "0"):
        policy.check(prefix + number, access + prefix + number, access)
    policy.check(f"sip:{prefix.strip()}{number}@127.0.0.1".replace(" ", ""), trunk=False)
