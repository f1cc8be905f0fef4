from postroad.proto.client_stages import HANDSHAKE, STAGES, Event


def test_every_stage_that_waits_for_an_answer_has_a_time_limit_and_words():
    for stage in STAGES:
        assert bool(stage.timeout) == bool(stage.doing) or stage.name == "IDLE"
        assert stage.timeout.endswith("_timeout") or not stage.timeout


def test_only_an_unanswered_dot_may_double_the_message():
    assert [s.name for s in STAGES if "more than once" in s.doing] == ["DOT"]


def test_the_handshake_ends_before_mail():
    assert {s.name for s in HANDSHAKE} == {"GREETING", "EHLO", "HELO", "LHLO", "STARTTLS", "TLS", "AUTH"}


def test_each_event_says_what_to_do():
    assert all(event.value for event in Event)
