"""Who called, as said in the call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.phone_records import form, hearing
from app.phone_records.hearing import Books
from app.phone_records.sounds import kind_of
from sip.progress.transcript import Transcript
from tests.web.searching import MOMENT, transcript

BOOKS = Books(
    {1: "云溪县水利局", 2: "云溪县林业局", 3: "青石镇人民政府", 4: "白水县水利局"},
    {1: ["张伟", "何轩佳"], 2: ["李玮", "李伟"]},
)


def said(*them: str, us: tuple[str, ...] = ()) -> dict[str, Transcript]:
    channels = {"them": Transcript.from_json(transcript(*them))}
    if us:
        channels["us"] = Transcript.from_json(transcript(*us, start_ms=500.0))
    return channels


def heard(*them: str) -> dict[str, str]:
    found, _ = hearing.hear(said(*them), BOOKS, ())
    return {name: one.value for name, one in found.items() if name != "content"}


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ("您好，我是云溪县水利局的张伟", {"unit": "云溪县水利局", "person": "张伟"}),
        # As recognition writes it: other characters, the same syllables.
        ("我是云西县水力局的何宣加", {"unit": "云溪县水利局", "person": "何轩佳"}),
        ("这里是林业局值班室", {"unit": "云溪县林业局"}),
        # Two units of this name: as it was said.
        ("我这里是水利局", {"unit": "水利局"}),
        ("我是林业局的李伟", {"unit": "云溪县林业局", "person": "李伟"}),
        ("我们电话零九五四二零三二一八八", {"number": "09542032188"}),
        ("我叫王建国，联系电话幺三九幺二三四五六七八", {"person": "王建国", "phone": "13912345678"}),
        ("河口村的水库水位上涨，现有三十人撤离", {}),
        ("喂，你好", {}),
    ],
)
def test_who_called(words: str, fields: dict[str, str]) -> None:
    assert heard(words) == fields


def test_each_field_has_its_moment() -> None:
    found, unit_id = hearing.hear(said("喂您好", "我是云溪县水利局的张伟"), BOOKS, ())
    assert unit_id == 1
    assert (found["unit"].start_ms, found["unit"].end_ms, found["unit"].heard) == (
        11_400.0,
        12_600.0,
        "云溪县水利局",
    )
    assert found["person"].start_ms == 12_800.0


def test_the_conversation_by_speaker_with_times_and_answer_keys_masked() -> None:
    channels = said("我们请示2032188了", us=("您好，总值班室",))
    found = hearing.conversation(channels, ["0954-2032188"])
    assert found is not None
    assert found.value == "[00:00] 我方：您好，总值班室\n[00:01] 来电人：我们请示＊＊＊＊＊＊＊了"
    alone = hearing.conversation(said("喂"), ())
    assert alone is not None
    assert alone.value == "[00:01] 通话：喂"
    assert hearing.conversation(said(), ()) is None
    numbers, _ = hearing.hear(said("我们电话2032188"), BOOKS, ["0954-2032188"])
    assert "number" not in numbers


@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_words_are_heard_without_an_error(words: list[str]) -> None:
    found, _ = hearing.hear(said(*words), BOOKS, ["0954-2032188"])
    assert set(found) <= set(form.HEARD)
    assert "opinion" not in found


def test_the_machine_fills_only_what_no_person_wrote() -> None:
    begun = form.new_content({"number": "0000-1"}, MOMENT)
    mark = {"value": "水利局", "start_ms": 1.0, "end_ms": 2.0, "heard": "水力局"}
    filled = form.filled(begun, {"unit": mark, "number": mark | {"value": "1"}, "opinion": mark}, 7)
    assert [filled["fields"][name] for name in ("unit", "number", "opinion")] == ["水利局", "0000-1", ""]
    assert form.unchecked(filled) == ("unit",)
    again = form.filled(filled, {"unit": mark | {"value": "林业局"}}, 8)
    assert again["fields"]["unit"] == "林业局"
    checked = form.written(again, {}, ["unit"])
    assert form.unchecked(checked) == ()
    assert form.filled(checked, {"unit": mark}, 9)["fields"]["unit"] == "林业局"
    assert form.withdrawn(again, signed=False)["fields"]["unit"] == ""
    assert form.withdrawn(checked, signed=True)["fields"]["unit"] == "林业局"


@given(st.dictionaries(st.sampled_from(sorted(form.LABELS)), st.text(max_size=20)))
def test_a_content_has_one_digest(fields: dict[str, str]) -> None:
    one = form.new_content(fields, MOMENT)
    other = form.new_content(dict(reversed(fields.items())), MOMENT)
    assert form.digest("2026-0001", 1, one) == form.digest("2026-0001", 1, other)
    assert form.digest("2026-0001", 1, one) != form.digest("2026-0001", 2, one)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"RIFF\0\0\0\0AVI LIST", None),
        (b"fLaC\0\0\0\x22", "flac"),
        (b"OggS\0\x02", "ogg"),
        (b"ID3\x04\0", "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf1\x50\x80", None),
        (b"\0\0\0\x20ftypM4A ", "mov"),
        (b"PK\x03\x04\x14\0", None),
        (b"#EXTM3U\n", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_formats_are_told_by_their_first_bytes(head: bytes, kind: str | None) -> None:
    assert kind_of(head) == kind
