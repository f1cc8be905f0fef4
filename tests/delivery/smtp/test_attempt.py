import asyncio

import pytest

from postroad.net.mailhosts import Host, NoHosts

GONE = Host("gone.example", "127.0.0.1", 1)


async def test_the_next_host_is_tried_when_one_cannot_be_reached(servers, post, job_of):
    server = await servers()
    made = post(hosts=[GONE, server.host(preference=10)])
    job = await made.deliver(job_of())
    assert job.outcomes[0].status == "2.0.0"
    assert job.site_failure is None
    assert made.lines == ["smtp: connect to gone.example[127.0.0.1]:1: Connection refused"]


@pytest.mark.parametrize("greeting", ["421 4.3.2 busy", "554 5.7.1 go away", None, b"554 go away\r\n"])
async def test_the_next_host_is_tried_when_one_does_not_want_to_talk(servers, post, job_of, greeting):
    bad, good = await servers(greeting=greeting), await servers()
    made = post(bad, good)
    job = await made.deliver(job_of())
    assert job.outcomes[0].status == "2.0.0"
    assert job.site_failure is None
    assert len(made.lines) == 1
    assert made.lines[0].startswith("smtp: 000000000000123: ")


async def test_a_5xx_greeting_is_final_when_told_so(servers, post, job_of):
    bad, good = await servers(greeting="554 5.7.1 go away"), await servers()
    made = post(bad, good, smtp_skip_5xx_greeting="no")
    job = await made.deliver(job_of())
    assert job.outcomes[0].status == "5.7.1"
    assert job.outcomes[0].text == f"host {bad.named} refused to talk to me: 554 5.7.1 go away"
    assert job.site_failure is None
    assert good.connections == 0


async def test_a_5xx_greeting_of_the_last_host_defers(servers, post, job_of):
    bad = await servers(greeting="554 5.7.1 go away")
    job = await post(bad).deliver(job_of())
    outcome = job.outcomes[0]
    assert outcome.status == "4.7.1"
    assert (outcome.relay, outcome.remote, outcome.reply) == (bad.relay, "there.example", "554 5.7.1 go away")
    assert job.site_failure is outcome
    assert bad.verbs() == ["QUIT"]


async def test_a_recipient_refused_for_good_is_not_tried_elsewhere(servers, post, job_of):
    first, second = await servers(RCPT="550 5.1.1 unknown"), await servers()
    job = await post(first, second).deliver(job_of())
    text = f"host {first.named} said: 550 5.1.1 unknown (in reply to RCPT TO command)"
    assert (job.outcomes[0].status, job.outcomes[0].text) == ("5.1.1", text)
    assert (job.outcomes[0].remote, job.outcomes[0].reply) == ("there.example", "550 5.1.1 unknown")
    assert job.site_failure is None
    assert second.connections == 0


async def test_a_refusal_for_good_is_tried_elsewhere_while_bounces_are_soft(servers, post, job_of):
    first, second = await servers(RCPT="550 5.1.1 unknown"), await servers()
    job = await post(first, second, soft_bounce="yes").deliver(job_of())
    assert job.outcomes[0].status == "2.0.0"


async def test_only_the_recipients_that_are_left_go_to_the_next_host(servers, post, job_of):
    first, second = await servers(), await servers(dot="250 2.0.0 second")
    first.answers["RCPT TO:<b@dest.example>"] = "450 4.2.1 later"
    first.answers["RCPT TO:<c@dest.example>"] = "550 5.1.1 never"
    made = post(first, second)
    job = await made.deliver(job_of("a@dest.example", "b@dest.example", "c@dest.example"))
    assert [(o.status, o.relay) for o in job.outcomes] == [
        ("2.0.0", first.relay),
        ("2.0.0", second.relay),
        ("5.1.1", first.relay),
    ]
    assert second.log[2] == "RCPT TO:<b@dest.example>"
    assert second.log[3] == "DATA"


async def test_no_more_sessions_than_the_limit(servers, post, job_of):
    three = [await servers(MAIL="451 4.3.0 busy") for _ in range(3)]
    made = post(*three)
    job = await made.deliver(job_of())
    assert [s.connections for s in three] == [1, 1, 0]
    assert job.outcomes[0].relay == three[1].relay
    assert len(made.lines) == 1


async def test_failed_handshakes_do_not_count_as_sessions(servers, post, job_of):
    bad = [await servers(EHLO="421 4.3.2 no") for _ in range(3)]
    good = await servers()
    job = await post(*bad, good).deliver(job_of())
    assert job.outcomes[0].status == "2.0.0"


async def test_the_session_limit_counts_for_each_next_hop_of_a_list(servers, post, job_of):
    bad = [await servers(MAIL="451 4.3.0 busy") for _ in range(3)]
    good = await servers()
    hosts = [*(s.host() for s in bad), good.host(site=1)]
    job = await post(hosts=hosts).deliver(job_of())
    assert job.outcomes[0].status == "2.0.0"
    assert bad[2].connections == 0


async def test_a_connection_lost_before_the_dot_goes_to_the_next_host(servers, post, job_of):
    bad, good = await servers(DATA=None), await servers()
    job = await post(bad, good).deliver(job_of())
    assert job.outcomes[0].status == "2.0.0"


async def test_a_lost_connection_of_the_last_host_blames_the_site(servers, post, job_of):
    bad = await servers(DATA=None)
    job = await post(bad).deliver(job_of())
    text = f"lost connection with {bad.named} while sending DATA command"
    assert (job.outcomes[0].status, job.outcomes[0].text) == ("4.4.2", text)
    assert job.outcomes[0].relay == bad.relay
    assert job.site_failure is job.outcomes[0]


async def test_a_session_to_its_end_clears_the_site(servers, post, job_of):
    """That a later host cannot be reached does not make the destination a dead one."""
    first = await servers(MAIL="451 4.3.0 busy")
    made = post(hosts=[first.host(), GONE])
    job = await made.deliver(job_of())
    assert job.outcomes[0].text == "connect to gone.example[127.0.0.1]:1: Connection refused"
    assert job.site_failure is None


@pytest.mark.parametrize("status", ["4.4.3", "5.4.4", "5.1.10"])
async def test_a_next_hop_without_hosts_has_the_reason_of_the_lookup(post, job_of, status):
    made = post(hosts=NoHosts(status, "Domain does not accept mail"))
    job = await made.deliver(job_of())
    assert [(o.status, o.text, o.relay) for o in job.outcomes] == [
        (status, "Domain does not accept mail", "none")
    ]
    assert (job.site_failure is not None) == status.startswith("4")


async def test_the_fallback_relay_is_tried_last(servers, post, job_of):
    server = await servers()
    made = post(hosts=[GONE], smtp_fallback_relay="[fall.example]")
    made.hosts["[fall.example]"] = [server.host(name="fall.example")]
    job = await made.deliver(job_of())
    assert job.outcomes[0].relay.startswith("fall.example[")
    assert made.looked_up == ["dest.example", "[fall.example]"]


async def test_the_fallback_relay_is_tried_for_a_name_that_is_not_found(servers, post, job_of):
    server = await servers()
    made = post(hosts=NoHosts("5.4.4", "not found"), fallback_relay="[fall.example]")
    made.hosts["[fall.example]"] = [server.host()]
    assert (await made.deliver(job_of())).outcomes[0].status == "2.0.0"


async def test_a_fallback_relay_that_is_not_found_bounces_nothing(post, job_of):
    made = post(hosts=[GONE], smtp_fallback_relay="[fall.example]")
    made.hosts["[fall.example]"] = NoHosts("5.4.4", "not found")
    assert await made.texts(job_of()) == [("4.3.5", "not found")]
    assert made.lines[-1] == "smtp: warning: smtp_fallback_relay configuration problem"


async def test_mail_that_loops_has_no_fallback(post, job_of):
    made = post(
        hosts=NoHosts("5.4.6", "mail for dest.example loops back to myself", loop=True),
        smtp_fallback_relay="x",
    )
    assert await made.texts(job_of()) == [("5.4.6", "mail for dest.example loops back to myself")]
    assert made.looked_up == ["dest.example"]


async def test_a_defect_of_ours_defers(post, job_of):
    made = post(hosts=RuntimeError("oh"))
    assert await made.texts(job_of()) == [("4.3.0", "internal error of the mail system")]
    assert made.lines == ["smtp: error: 000000000000123: unexpected: RuntimeError('oh')"]


async def test_lmtp_has_an_answer_for_each_recipient(servers, post, job_of, tmp_path):
    server = await servers(path=str(tmp_path / "lmtp"))
    server.lmtp = True
    server.says(RCPT=["250 Ok", "550 5.1.1 no", "250 Ok"], dot=["250 2.1.5 one", "452 4.2.2 full"])
    made = post(program="lmtp", queue_directory=str(tmp_path))
    job = await made.deliver(job_of("a@x", "b@x", "c@x", nexthop="unix:lmtp"))
    assert [(o.status, o.relay) for o in job.outcomes] == [
        ("2.1.5", "mx.example.test[lmtp]"),
        ("5.1.1", "mx.example.test[lmtp]"),
        ("4.2.2", "mx.example.test[lmtp]"),
    ]
    assert server.log[0] == "LHLO mx.example.test"
    assert job.site_failure is None


async def test_lmtp_keeps_what_was_answered_when_the_connection_breaks(servers, post, job_of, tmp_path):
    server = await servers(path=str(tmp_path / "lmtp"), dot=["250 2.1.5 one", None])
    server.lmtp = True
    made = post(program="lmtp", queue_directory=str(tmp_path))
    job = await made.deliver(job_of("a@x", "b@x", nexthop="unix:lmtp"))
    assert [o.status for o in job.outcomes] == ["2.1.5", "4.4.2"]
    assert "message may be sent more than once" in job.outcomes[1].text


async def test_lmtp_without_a_socket_is_deferred(post, job_of, tmp_path):
    made = post(program="lmtp", queue_directory=str(tmp_path))
    text = "connect to mx.example.test[private/lmtp]: No such file or directory"
    assert await made.texts(job_of(nexthop="unix:private/lmtp")) == [("4.4.1", text)]
    assert made.lines == [f"lmtp: {text}"]


async def test_lmtp_over_tcp_is_looked_up_without_its_prefix(servers, post, job_of):
    server = await servers()
    server.lmtp = True
    made = post(program="lmtp")
    made.hosts["box.example:24"] = [server.host()]
    job = await made.deliver(job_of(nexthop="inet:box.example:24"))
    assert job.outcomes[0].status == "2.0.0"


async def test_lmtp_waits_for_the_answer_to_quit(servers, post, job_of):
    server = await servers(QUIT=...)
    server.lmtp = True
    made = post(server, program="lmtp")
    assert (await made.deliver(job_of())).outcomes[0].status == "2.0.0"
    await asyncio.sleep(0.02)
    assert server.open == 1
