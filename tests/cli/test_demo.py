import json

import pytest

from postroad.admin.journey import Journey, JourneyFailed, Leg, Trip
from postroad.admin.tap import Line
from postroad.admin.zone import Question
from postroad.cli import demo


def journey(*, good=True):
    legs = [
        Leg("client to sending server", [Line(5.001, "C", "EHLO\x1b[2J"), Line(5.0025, "S", "250 ok")]),
        Leg("b", []),
    ]
    questions = [Question(5.01, "x.example", "MX", "10 mail.x.example.")]
    first = Trip(
        "a@x",
        "b@y",
        5.0,
        b"",
        legs,
        questions,
        "mail/b/new/1",
        "Subject: é\n\ttab\n\nx\n".encode(),
        5.05,
        good,
    )
    second = Trip("a@x", "c@y", 5.0, b"", legs, [], "mail/a/new/1", b"bounce", 5.06, good)
    return Journey(first, second)


@pytest.fixture
def travelled(monkeypatch):
    def use(result):
        async def travel(_clock):
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr("postroad.admin.journey.travel", travel)

    return use


def test_dialogues_are_shown_with_their_times(travelled, capsys):
    travelled(journey())
    assert demo.run(None, []) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "     1.0 ms  C: EHLO?[2J" in lines
    assert "     2.5 ms  S: 250 ok" in lines
    assert "    10.0 ms  x.example MX? 10 mail.x.example." in lines
    assert "  | Subject: é" in lines
    assert "  | \ttab" in lines
    assert lines[-2:] == ["The message arrived byte for byte", "The bounce came back"]


def test_json_has_everything(travelled, capsys):
    travelled(journey())
    assert demo.run(None, ["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert found["delivered"]["legs"][0]["lines"][1] == {"ms": 2.5, "from": "S", "text": "250 ok"}
    assert found["delivered"]["questions"][0]["answer"] == "10 mail.x.example."
    assert found["bounced"]["arrived_ms"] == 60.0


def test_a_message_that_changed_is_a_failure(travelled, capsys):
    travelled(journey(good=False))
    assert demo.run(None, []) == 1
    assert "CHANGED" in capsys.readouterr().out


def test_a_journey_that_fails_is_said(travelled, capsys):
    travelled(JourneyFailed("did not arrive"))
    assert demo.run(None, []) == 1
    assert capsys.readouterr().err == "postroad demo: did not arrive\n"


def test_colours_are_for_those_who_want_them():
    assert any("\033[" in line for line in demo.as_text(journey(), colour=True))
    assert not any("\033[" in line for line in demo.as_text(journey(), colour=False))


def test_usage(capsys):
    assert demo.run(None, ["--help"]) == 0
    assert demo.run(None, ["--nope"]) == 2
    assert "unexpected --nope" in capsys.readouterr().err
