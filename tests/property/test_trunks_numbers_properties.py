"""Whatever is written, a number keeps its digits and has one form."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from sip.numbers import NumberError, dialled_digits, parse_number, split_extension
from sip.trunks import NumberRules
from sip.trunks.numbers import STYLES

AREAS = ["10", "21", "29", "755", "917"]
SEPARATORS = ["", " ", "-", "－", " - ", "."]


@st.composite
def nationals(draw: st.DrawFn) -> tuple[str, str]:
    """An area code and the number behind it."""
    area = draw(st.sampled_from(AREAS))
    first = draw(st.sampled_from("2345678"))
    length = 7 if len(area) == 2 else draw(st.sampled_from([6, 7]))
    return area, first + draw(st.text("0123456789", min_size=length, max_size=length))


@st.composite
def written(draw: st.DrawFn, digits: str) -> str:
    """Digits with separators anywhere between them, some of them wide."""
    parts = []
    for digit in digits:
        wide = draw(st.booleans()) and digit.isdigit()
        parts.append(chr(ord(digit) + 0xFEE0) if wide else digit)
        parts.append(draw(st.sampled_from(SEPARATORS)))
    return "".join(parts)


@given(st.text("0123456789+", min_size=1, max_size=18))
def test_the_one_form_is_read_as_itself(text: str) -> None:
    try:
        number = parse_number(text)
    except NumberError:
        return
    assert parse_number(number.key).key == number.key


@given(nationals(), st.data())
def test_every_writing_of_a_fixed_number_is_the_same_number(
    number: tuple[str, str], data: st.DataObject
) -> None:
    area, subscriber = number
    prefix = data.draw(st.sampled_from(["0", "+86", "0086", "+860", "00860"]))
    text = data.draw(written(prefix + area + subscriber))
    found = parse_number(text)
    assert (found.kind, found.area, found.subscriber) == ("fixed", area, subscriber)
    assert parse_number(data.draw(written(subscriber)), area) == found


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        digits = dialled_digits(text)
    except NumberError:
        return
    assert digits
    assert set(digits) <= set("+*#0123456789")


@given(st.text("0123456789", min_size=1, max_size=16))
def test_no_digit_is_lost_but_prefixes(digits: str) -> None:
    national = parse_number(digits).national
    assert digits.endswith(national)
    assert digits.removesuffix(national) in ("", "0", "00", "0086", "86", "860") or set(
        digits.removesuffix(national).removeprefix("0086")
    ) <= {"0"}


@given(nationals(), st.sampled_from(STYLES), st.sampled_from(AREAS))
def test_rewriting_twice_is_rewriting_once_and_reaches_the_same_line(
    number: tuple[str, str], style: str, own_area: str
) -> None:
    rules = NumberRules(area_code=own_area, style=style)  # type: ignore[arg-type]
    given_number = "0" + "".join(number)
    sent = rules.rewrite(given_number)
    assert rules.rewrite(sent) == sent
    assert rules.parse(sent) == rules.parse(given_number)


@given(
    nationals(),
    st.text("0123456789", min_size=1, max_size=6),
    st.sampled_from(["转", ",", "ext", " x ", "-"]),
)
@example(number=("755", "2000000"), extension="0", sign="-")
def test_number_and_extension_come_apart_again(number: tuple[str, str], extension: str, sign: str) -> None:
    switchboard = f"0{number[0]}-{number[1]}"
    assert split_extension(switchboard + sign + extension) == (switchboard, extension)
