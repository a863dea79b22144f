"""Scenario files: the same words as the built-in table, and errors that name the place."""

import pytest

from sip.simulator import Answer, HangUp, Provisional, Say, ScenarioError, Wait, lines_page, read_scenario

GOOD = """
[[line]]
extension = "21"
name = "slow"
title_zh = "第三声接听"
ignore_cancel = true
steps = [
    {do = "wait", seconds = 1},
    {do = "provisional", status = 180, headers = {Diversion = "<sip:{user}@{host}>"}},
    {do = "answer"},
    {do = "say", sound = "officer_01"},
    {do = "hang_up"},
]
expect = {outcome = "answered", answered_by = ["human", "unknown"], three_ring = "within", ring_to_answer_ms = 14000}

[[line]]
extension = "86"
steps = [{do = "reject", status = 600}]
expect = {outcome = "busy"}
"""


def read(tmp_path, text):
    path = tmp_path / "lines.toml"
    path.write_text(text, encoding="utf-8")
    return read_scenario(path)


def test_a_file_in_the_words_of_the_table(tmp_path):
    lines = read(tmp_path, GOOD)
    assert list(lines) == ["21", "86"]
    slow = lines["21"]
    assert slow.steps == (
        Wait(1.0),
        Provisional(180, headers=(("Diversion", "<sip:{user}@{host}>"),)),
        Answer(),
        Say("officer_01"),
        HangUp(),
    )
    assert slow.ignore_cancel
    assert slow.expect.answered_by == ("human", "unknown")
    assert slow.expect.ring_to_answer_ms == 14000.0
    assert lines["86"].name == "86"


def test_the_example_of_the_reference_page_is_a_good_file(tmp_path):
    example = lines_page().split("```toml\n")[1].split("```")[0]
    assert list(read(tmp_path, example)) == ["21"]


def one(steps, more=""):
    return f'[[line]]\nextension = "21"\nsteps = [{steps}]\n{more}\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no [[line]]"),
        ("x = 1\n" + GOOD, "unknown key 'x'"),
        ("[[line]\n", "not TOML"),
        ("line = 3", "there is no [[line]]"),
        ("line = [3]", "line 1 must be a table"),
        ("[[line]]\nsteps = []", "line 1: extension is None"),
        ('[[line]]\nextension = "a b"\nsteps = []', "extension is 'a b'"),
        ('[[line]]\nextension = "21"', "line 21: steps must be an array"),
        (one(""), "line 21: there are no steps"),
        (one('"answer"'), "line 21: step 1: needs do = one of provisional"),
        (one('{do = "sing"}'), "line 21: step 1: needs do = one of"),
        (one('{do = "wait"}'), "line 21: step 1: seconds is missing"),
        (one('{do = "wait", seconds = "2"}'), "step 1: seconds is '2', must be a number"),
        (one('{do = "wait", seconds = 2, minutes = 1}'), "unknown key 'minutes', known: seconds"),
        (one('{do = "never"}, {do = "never"}'), "step 1: never ends the call"),
        (one('{do = "provisional", status = 180.5}'), "status is 180.5, must be a whole number"),
        (one('{do = "provisional", status = true}'), "status is True, must be a whole number"),
        (one('{do = "answer", keep_sound = 1}'), "keep_sound is 1, must be true or false"),
        (one('{do = "reject", status = 486, headers = {"X Y" = "1"}}'), "'X Y' is not a header field"),
        (one('{do = "reject", status = 486, headers = {X = "a\\r\\nb"}}'), "'X' is not a header field"),
        (one('{do = "reject", status = 486, headers = ["X"]}'), "headers must be a table"),
        (one('{do = "never"}', "expect = {}"), "expect: outcome is missing"),
        (one('{do = "never"}', 'expect = {outcome = "lost"}'), "outcome is 'lost', must be one of answered"),
        (one('{do = "never"}', 'expect = {outcome = "busy", answered_by = ["dog"]}'), "answered_by is 'dog'"),
        (one('{do = "never"}', "expect = 4"), "expect must be a table"),
        (one('{do = "never"}', "colour = 4"), "unknown key 'colour'"),
        (one('{do = "never"}') + one('{do = "never"}'), "extension '21' stands twice"),
    ],
)
def test_an_error_names_the_file_and_the_place(tmp_path, text, words):
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "lines.toml") in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_scenario(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_scenario(tmp_path / "binary.toml")
