import pytest

from filters.conftest import BODY, HEADER, KEY, a_session, upto, whole
from filters.stub import CONTINUE
from postroad.base.errors import TableUnavailable
from postroad.filters.service import SmtpdMilters
from postroad.model.filters import FilterOutcome
from postroad.model.message import Recipient
from postroad.model.reply import Reply
from postroad.model.session import Session

MAPS = "inline:{{192.0.2.7=disable} {192.0.2.8={ inet:127.0.0.1:1, default_action=accept }} {192.0.2.9=nonsense}}"


def local_session():
    session = Session(a_session(local_uid=1000).client)
    session.transaction.sender = "s@example.org"
    session.transaction.recipients += [
        Recipient("u@example.org"),
        Recipient("t@example.org", "a b@example.org"),
    ]
    session.transaction.queue_key = KEY
    return session


async def test_without_milters_there_is_nothing(bench):
    assert bench.service() is None
    assert bench.others() is None
    assert bench.service(smtpd_milters="inet:a:1", receive_override_options="no_milters") is None
    assert bench.others(non_smtpd_milters="inet:a:1", receive_override_options="no_milters") is None


async def test_settings_that_cannot_be_used_are_known_at_once(bench):
    for texts in ({"smtpd_milters": "nonsense"}, {"smtpd_milters": "inet:a:1", "milter_macro_defaults": "x"}):
        with pytest.raises(ValueError, match="milter|transport"):
            bench.service(**texts)
    with pytest.raises(ValueError, match="transport"):
        bench.others(non_smtpd_milters="nonsense")


async def test_milters_by_client(bench):
    service = bench.service(smtpd_milters="inet:127.0.0.1:2", smtpd_milter_maps=MAPS)
    assert isinstance(service, SmtpdMilters)
    assert await service.session(a_session()) is None
    for address, code in (("192.0.2.8", None), ("192.0.2.1", 451)):
        session = a_session(address=address)
        chain = await service.session(session)
        chain.session = session
        reply = await upto(chain, "mail")
        assert (reply and reply.code) == code
    for _ in range(2):
        with pytest.raises(TableUnavailable, match="smtpd_milter_maps: nonsense: "):
            await service.session(a_session(address="192.0.2.9"))


async def test_maps_alone_are_enough_and_who_is_not_in_them_has_no_milters(bench):
    service = bench.service(smtpd_milter_maps=MAPS)
    assert await service.session(a_session(address="192.0.2.1")) is None


async def test_the_values_of_maps_are_read_once_and_not_without_end(bench):
    service = bench.service(smtpd_milter_maps="regexp:{{/(.*)/ inet:$1:1}}")
    for number in range(250):
        assert await service.session(a_session(address=f"192.0.2.{number}")) is not None
    assert len(service._read) <= 100


async def test_mail_without_smtp_has_a_session_that_never_was(bench):
    stub = await bench.stub({"E": [b"hSigned\0x\0", CONTINUE]})
    filters = bench.others(non_smtpd_milters=stub.name)
    outcome = await filters.message(local_session(), HEADER, lambda: iter([BODY]))
    assert outcome == FilterOutcome(header=HEADER + b"Signed: x\r\n")
    seen = [each for each in stub.seen if each[0] not in "DOLQ"]
    assert seen == [
        ("C", b"localhost\x004\0\x00127.0.0.1\0"),
        ("H", b"localhost\0"),
        ("M", b"s@example.org\0"),
        ("R", b"u@example.org\0"),
        ("R", b'"a b"@example.org\0'),
        ("T", b""),
        ("N", b""),
        ("B", BODY),
        ("E", b""),
    ]
    assert stub.macros("M") == {"i": f"{KEY:015X}", "{mail_addr}": "s@example.org"}
    assert stub.macros("C")["_"] == "localhost [127.0.0.1]"
    assert bench.lines == []


@pytest.mark.parametrize(
    ("letter", "answer", "reply", "lines"),
    [
        ("C", b"t", Reply(451, "4.7.1", "Service unavailable - try again later"), [
            ("milter-reject: CONNECT from localhost[127.0.0.1]: 4.7.1 Service unavailable - try again later;"
            " from=<s@example.org>")]),
        ("H", b"r", Reply(550, "5.7.1", "Command rejected"), [
            "milter-reject: EHLO from localhost[127.0.0.1]: 5.7.1 Command rejected; from=<s@example.org>"]),
        ("R", b"r", Reply(451, "4.3.5", "Server configuration error"), [
            ("milter-reject: RCPT from localhost[127.0.0.1]: 5.7.1 Command rejected; from=<s@example.org>"
            " to=<u@example.org>"),
            "warning: milter configuration error: can't reject recipient in non-smtpd(8) submission"]),
        ("E", b"r", Reply(550, "5.7.1", "Command rejected"), [
            ("milter-reject: END-OF-MESSAGE from localhost[127.0.0.1]: 5.7.1 Command rejected;"
            ' from=<s@example.org> to=<"a b"@example.org>')]),
    ],
)  # fmt: skip
async def test_refusals_of_mail_without_smtp(bench, letter, answer, reply, lines):
    stub = await bench.stub({letter: [answer]})
    outcome = await bench.others(non_smtpd_milters=stub.name).message(
        local_session(), HEADER, lambda: iter([BODY])
    )
    assert outcome == FilterOutcome(reply)
    queue_id = f"{KEY:015X}: "
    assert [line.replace(queue_id, "") for line in bench.lines] == ["cleanup: " + line for line in lines]


async def test_discard_of_mail_without_smtp(bench):
    stub = await bench.stub({"M": [b"d"]})
    outcome = await bench.others(non_smtpd_milters=stub.name).message(
        local_session(), HEADER, lambda: iter([BODY])
    )
    assert outcome.discard


async def test_notices_are_filtered_where_that_was_asked_for(bench):
    for classes, wanted in (("", False), ("notify", False), ("notify, bounce", True)):
        filters = bench.others(non_smtpd_milters="inet:a:1", internal_mail_filter_classes=classes)
        assert filters.notices is wanted


async def test_sessions_of_one_service_do_not_know_each_other(bench):
    stub = await bench.stub({"M": lambda data: [b"r"] if b"bad" in data else [CONTINUE]})
    one, two = await bench.chain(stub), await bench.chain(stub)
    assert await upto(one, "mail", sender="bad@example.net") is not None
    assert (await whole(two)).is_plain
