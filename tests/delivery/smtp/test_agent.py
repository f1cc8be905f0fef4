import asyncio
import random

import pytest

from patience import until
from postroad.net.mailhosts import Host, NoHosts
from postroad.proto import client_stages as stages


async def test_a_message_is_delivered_and_the_servers_words_are_the_outcome(servers, post, job_of):
    server = await servers()
    job = await post(server).deliver(job_of())
    (outcome,) = job.outcomes
    assert (outcome.status, outcome.text) == ("2.0.0", "250 2.0.0 Ok: queued as 12345")
    assert outcome.relay == server.relay
    assert (outcome.remote, outcome.reply) == ("there.example", outcome.text)
    assert outcome.action == "relayed"
    assert not outcome.notified
    assert outcome.reused == 0
    assert outcome.setup >= 0 < outcome.transfer
    assert job.site_failure is None
    assert server.messages == [b"Subject: hello\r\n\r\nbody\r\n..dot\r\n.\r\n"]
    assert server.log[:4] == [
        "EHLO mx.example.test",
        "MAIL FROM:<alice@example.test> SIZE=30",
        "RCPT TO:<bob@dest.example>",
        "DATA",
    ]


async def test_a_lone_message_leaves_no_connection_behind(servers, post, job_of):
    server = await servers()
    made = post(server)
    made.agent._context.idle_limit = 1000.0  # it is not for this that it ends
    await made.deliver(job_of())
    await until(lambda: server.open == 0)
    assert server.verbs()[-1] == "QUIT"


async def test_mail_that_comes_back_to_back_shares_a_connection(servers, post, job_of):
    server = await servers()
    made = post(server)
    outcomes = [(await made.deliver(job_of())).outcomes[0] for _ in range(6)]
    assert all(o.status == "2.0.0" for o in outcomes)
    assert server.connections == 2  # the first was closed: nobody knew that more would come
    assert [o.reused for o in outcomes] == [0, 0, 2, 3, 4, 5]
    assert made.looked_up == ["dest.example"] * 2


async def test_connections_are_not_kept_when_told_so(servers, post, job_of):
    server = await servers()
    made = post(server, smtp_connection_cache_on_demand="no")
    for _ in range(4):
        await made.deliver(job_of())
    assert server.connections == 4


async def test_a_listed_destination_always_keeps_its_connection(servers, post, job_of):
    server = await servers()
    made = post(
        server, smtp_connection_cache_on_demand="no", smtp_connection_cache_destinations="dest.example"
    )
    for _ in range(4):
        await made.deliver(job_of())
    assert server.connections == 1


async def test_an_idle_connection_is_closed_in_time(servers, post, job_of):
    server = await servers()
    made = post(server, smtp_connection_cache_destinations="dest.example")
    made.agent._context.idle_limit = 0.03
    await made.deliver(job_of())
    assert server.open == 1
    await until(lambda: server.open == 0)
    assert server.verbs()[-1] == "QUIT"


async def test_a_connection_is_not_reused_beyond_its_count(servers, post, job_of):
    server = await servers()
    made = post(
        server, smtp_connection_cache_destinations="dest.example", smtp_connection_reuse_count_limit="2"
    )
    outcomes = [(await made.deliver(job_of())).outcomes[0] for _ in range(6)]
    assert [o.reused for o in outcomes] == [0, 2, 3, 0, 2, 3]
    assert server.connections == 2


async def test_a_connection_is_not_reused_beyond_its_time(servers, post, job_of):
    server = await servers()
    made = post(server, smtp_connection_cache_destinations="dest.example")
    made.agent._context.reuse_time = 0.0
    for _ in range(2):
        await made.deliver(job_of())
    assert server.connections == 2


@pytest.mark.parametrize("death", [None, "421 4.4.2 timeout"])
async def test_a_kept_connection_that_died_is_no_failure(servers, post, job_of, death):
    """The message goes over a fresh one, once."""
    server = await servers()
    made = post(server, smtp_connection_cache_destinations="dest.example")
    await made.deliver(job_of())
    server.says(MAIL=[death, "250 Ok"])
    job = await made.deliver(job_of())
    assert job.outcomes[0].status == "2.0.0"
    assert job.outcomes[0].reused == 0
    assert job.site_failure is None
    assert len(server.messages) == 2


async def test_a_kept_connection_that_speaks_is_dropped(servers, post, job_of):
    server = await servers(dot="250 2.0.0 Ok: queued as 12345\r\n250 once more")
    made = post(server, smtp_connection_cache_destinations="dest.example")
    for _ in range(2):
        assert (await made.deliver(job_of())).outcomes[0].status == "2.0.0"
        await until(lambda: server.open == 0)
    assert server.connections == 2


async def test_many_jobs_never_have_more_connections_than_jobs(servers, post, job_of):
    server = await servers()
    made = post(server)
    jobs = await asyncio.gather(*(made.deliver(job_of(key=k)) for k in range(100)))
    assert all(job.outcomes[0].status == "2.0.0" for job in jobs)
    assert server.most <= 100
    assert len(server.messages) == 100


async def test_steady_mail_shares_few_connections_and_nothing_is_lost_or_doubled(servers, post, job_of):
    server = await servers()
    made = post(server)
    await made.deliver(job_of())
    todo = [job_of(content=b"Subject: %d\r\n\r\n" % k, key=k) for k in range(300)]
    finished = []
    all_done = asyncio.get_running_loop().create_future()

    def report(job):
        finished.append(job)
        if todo:
            made.agent.deliver(todo.pop(), report)
        elif len(finished) == 300:
            all_done.set_result(None)

    for _ in range(20):
        made.agent.deliver(todo.pop(), report)
    await asyncio.wait_for(all_done, 30)
    assert all(job.outcomes[0].status == "2.0.0" for job in finished)
    assert len(server.messages) == len(set(server.messages)) == 301
    assert server.connections <= 22


async def test_mail_waiting_for_a_slow_connection_gets_one_of_its_own(servers, post, job_of):
    server = await servers()
    made = post(server)
    await made.deliver(job_of())
    server.says(dot=[..., "250 Ok"])
    stuck = asyncio.ensure_future(made.deliver(job_of()))
    await until(lambda: len(server.messages) == 2)
    job = await asyncio.wait_for(made.deliver(job_of()), 30)
    assert job.outcomes[0].status == "2.0.0"
    assert not stuck.done()
    stuck.cancel()


async def test_what_follows_on_a_lost_connection_is_tried_again(servers, post, job_of):
    """Its envelope was sent behind a content whose answer never came; it is not to blame."""
    server = await servers()
    made = post(server)
    await made.deliver(job_of())
    server.says(RCPT=["250 Ok"], dot=[None, "250 Ok"])
    server.delay = 0.01
    first = asyncio.ensure_future(made.deliver(job_of(key=1)))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(made.deliver(job_of(key=2)))
    lost, sent = await asyncio.gather(first, second)
    assert lost.outcomes[0].status == "4.4.2"
    assert lost.outcomes[0].text.endswith("while sending end of data -- message may be sent more than once")
    assert sent.outcomes[0].status == "2.0.0"


async def test_close_takes_leave_of_idle_connections(servers, post, job_of):
    server = await servers()
    made = post(server, smtp_connection_cache_destinations="dest.example")
    made.agent._context.idle_limit = 1000.0  # it is not for this that they end
    await made.deliver(job_of())
    await made.agent.close()
    await until(lambda: server.open == 0)
    assert (await made.deliver(job_of())).outcomes[0].status == "2.0.0"
    await until(lambda: server.open == 0)  # nothing is kept any more


async def test_a_soft_refusal_on_a_kept_connection_tries_the_next_host(servers, post, job_of):
    first, second = await servers(), await servers(dot="250 2.0.0 second")
    made = post(first, second, smtp_connection_cache_destinations="dest.example")
    await made.deliver(job_of())
    first.says(RCPT="450 4.2.0 later")
    job = await made.deliver(job_of())
    assert job.outcomes[0].text == "250 2.0.0 second"
    assert made.lines[-1] == (
        f"smtp: 000000000000123: host {first.named} said: 450 4.2.0 later (in reply to RCPT TO command)"
    )
    assert first.connections == 1


async def test_a_soft_refusal_without_another_host_stands(servers, post, job_of):
    server = await servers()
    made = post(server, smtp_connection_cache_destinations="dest.example")
    await made.deliver(job_of())
    server.says(RCPT=["250 Ok", "450 4.2.0 later"])
    job = await made.deliver(job_of("a@dest.example", "b@dest.example"))
    assert [o.status for o in job.outcomes] == ["2.0.0", "4.2.0"]
    assert job.outcomes[1].relay == server.relay
    assert made.looked_up == ["dest.example"]


async def test_forgotten_lanes_make_room(servers, post, job_of):
    server = await servers()
    made = post(server)
    made.agent._forget_above = 3
    for number in range(4):
        made.hosts[f"d{number}.example"] = [server.host()]
        await made.deliver(job_of(nexthop=f"d{number}.example"))
    assert list(made.agent._lanes) == ["d3.example"]


async def test_mail_for_best_mx_transport_is_passed_on(post, job_of):
    made = post(hosts=NoHosts("5.4.6", "loops", loop=True, transport="local:here"))
    assert await made.texts(job_of()) == [("4.4.6", "loops")]
    passed = []
    made.agent._pass_on = lambda job, transport, report: (passed.append(transport), report(job))
    made.agent._context.passes_on = True
    await made.deliver(job_of())
    assert passed == ["local:here"]


async def test_a_stage_that_is_late_is_the_stage_that_is_named(servers, post, job_of):
    server = await servers(greeting=...)
    made = post(server, timeouts={stages.GREETING: 0.02})
    job = await made.deliver(job_of())
    assert job.outcomes[0].text == (
        f"conversation with {server.named} timed out while receiving the initial server greeting"
    )
    assert job.site_failure is job.outcomes[0]


async def test_a_refused_connection_is_said_in_the_systems_words(post, job_of):
    made = post(hosts=[Host("gone.example", "127.0.0.1", 1)])
    job = await made.deliver(job_of())
    text = "connect to gone.example[127.0.0.1]:1: Connection refused"
    assert (job.outcomes[0].status, job.outcomes[0].text) == ("4.4.1", text)
    assert job.outcomes[0].relay == "none"
    assert made.lines == [f"smtp: {text}"]
    assert job.site_failure is job.outcomes[0]


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_servers_do_each_job_is_reported_once_and_sent_means_received(
    servers, post, job_of, seed
):
    rng = random.Random(seed)
    wild = [None, "421 4.3.2 bye", "450 4.2.0 no", "550 5.1.1 no", "nonsense", "250 Ok", "354 go", b"25"]
    first, second = await servers(), await servers()
    for server in (first, second):
        usual = server._answer

        async def answer(writer, line, verb, server=server, usual=usual):
            if verb != "QUIT" and rng.random() < 0.15:
                server.says(**{"greeting" if not verb else "dot" if verb == "." else verb: rng.choice(wild)})
                try:
                    return await usual(writer, line, verb)
                finally:
                    server.answers.update(type(server)().answers)
            return await usual(writer, line, verb)

        server._answer = answer
    late = dict.fromkeys((s for s in stages.STAGES if s.timeout), 0.05)
    made = post(first, second, timeouts=late)
    reported = []
    todo = [job_of("a@x", "b@x", content=b"Subject: %d\r\n\r\n" % k, key=k) for k in range(150)]
    all_done = asyncio.get_running_loop().create_future()

    def report(job):
        reported.append(job.message.key)
        if any(o.status[0] == "2" for o in job.outcomes):
            text = b"Subject: %d\r\n" % job.message.key
            assert any(m.startswith(text) for m in first.messages + second.messages)
        if todo:
            made.agent.deliver(todo.pop(), report)
        elif len(reported) == 150:
            all_done.set_result(None)

    for _ in range(10):
        made.agent.deliver(todo.pop(), report)
    await asyncio.wait_for(all_done, 30)
    await asyncio.sleep(0.05)
    assert sorted(reported) == list(range(150))
