from postroad.delivery.smtp.context import NO_CONNECTION, events
from postroad.proto import client_stages as stages


async def test_each_stage_has_the_time_limit_of_its_parameter(post):
    context = post(smtp_mail_timeout="7s", smtp_data_done_timeout="1h").agent._context
    assert context.timeouts[stages.MAIL] == 7
    assert context.timeouts[stages.DOT] == 3600
    assert stages.IDLE not in context.timeouts
    assert stages.CLOSED not in context.timeouts


async def test_the_lmtp_client_obeys_its_own_parameters(post):
    context = post(
        program="lmtp", smtp_mail_timeout="7s", lmtp_mail_timeout="8s", lmtp_lhlo_name="box"
    ).agent._context
    assert context.timeouts[stages.MAIL] == 8
    assert context.manners.name == "box"
    assert context.manners.lmtp


async def test_a_line_stands_under_the_programs_name(post):
    made = post(program="lmtp")
    made.agent._context.emit(NO_CONNECTION, "connect to x: no")
    made.agent._context.warn("odd")
    assert made.lines == ["lmtp: connect to x: no", "lmtp: warning: odd"]


def test_an_event_is_declared_for_both_programs():
    assert {e.program for e in events("x", "y").values()} == {"smtp", "lmtp"}
