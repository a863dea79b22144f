"""Scenario files: the same words as the built-in table, and errors that name the place."""

import json
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.simulator import (
    Answer,
    Challenge,
    HangUp,
    Never,
    Play,
    Provisional,
    Quiet,
    Redirect,
    Reject,
    Say,
    ScenarioError,
    Wait,
    lines_page,
    read_scenario,
    sound_names,
)

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


names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True)
texts = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)
headers = st.dictionaries(names, texts, max_size=3).map(lambda table: tuple(table.items()))
sounds = st.sampled_from(sound_names())
steps_between = st.one_of(
    st.builds(Wait, st.floats(0, 3600)),
    st.builds(Play, sounds, st.booleans()),
    st.builds(Say, sounds),
    st.builds(Quiet),
    st.builds(
        Provisional,
        st.integers(101, 199),
        st.booleans(),
        texts,
        headers,
        st.binary(max_size=8).map(bytes.hex),
    ),
    st.builds(Challenge, names, st.sampled_from(["MD5", "SHA-256"])),
)
last_steps = st.one_of(
    st.builds(Reject, st.integers(400, 699), texts, headers),
    st.builds(Redirect, texts, st.integers(300, 399)),
    st.builds(Never),
)


def as_toml(step):
    def value(item):
        if isinstance(item, tuple):
            return "{" + ", ".join(f"{json.dumps(name)} = {json.dumps(text)}" for name, text in item) + "}"
        return json.dumps(item)

    pairs = [f'do = "{step.word}"', *(f"{f.name} = {value(getattr(step, f.name))}" for f in fields(step))]
    return "{" + ", ".join(pairs) + "}"


@given(st.lists(steps_between, max_size=6), last_steps)
def test_every_script_survives_the_way_through_a_file(between, last):
    script = (Provisional(183, sdp=True), *between, last)
    text = one(", ".join(as_toml(step) for step in script))
    with TemporaryDirectory() as folder:
        (line,) = read(Path(folder), text).values()
    assert line.steps == script


toml_values = st.recursive(
    st.one_of(
        st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), texts
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["do", "status", "sound", "x"]), inner, max_size=3),
    ),
    max_leaves=8,
)


def as_value(item):
    if isinstance(item, dict):
        return "{" + ", ".join(f"{key} = {as_value(inner)}" for key, inner in item.items()) + "}"
    if isinstance(item, list):
        return "[" + ", ".join(map(as_value, item)) + "]"
    return json.dumps(item)


@given(
    st.dictionaries(st.sampled_from(["extension", "name", "steps", "expect", "ignore_cancel"]), toml_values)
)
def test_no_content_of_a_file_fails_otherwise_than_by_name(table):
    text = "[[line]]\n" + "\n".join(f"{key} = {as_value(value)}" for key, value in table.items())
    with TemporaryDirectory() as folder, suppress(ScenarioError):
        read(Path(folder), text)
