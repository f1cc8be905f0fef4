import pytest

from auth.conftest import a_session
from postroad.auth.build import UNSUPPORTED
from postroad.base.clock import SystemClock
from postroad.model.sasl import SaslState
from postroad.tables.context import TableContext


async def test_no_auth_is_nobody(build):
    assert build(smtpd_sasl_auth_enable="no", smtpd_sasl_type="nonsense") is None
    assert build() is None  # Postfix's default type, cyrus
    assert build(smtpd_sasl_type="Cyrus") is None


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({"smtpd_sasl_type": "nonsense"}, UNSUPPORTED),
        ({"smtpd_sasl_type": "postroad"}, "smtpd_sasl_path = smtpd: expected a users file"),
        ({"smtpd_sasl_type": "postroad", "smtpd_sasl_path": ""}, "expected a users file"),
        ({"smtpd_sasl_type": "postroad", "smtpd_sasl_path": "nonsense:x"}, "smtpd_sasl_path: unsupported"),
        ({"smtpd_sasl_type": "postroad", "smtpd_sasl_path": "pam:"}, "PAM service"),
        ({"smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "inet:host"}, "smtpd_sasl_path: "),
        ({"smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "unix:"}, "a path is missing"),
        (
            {"smtpd_sasl_type": "dovecot", "smtpd_sasl_security_options": "x"},
            "smtpd_sasl_security_options: x",
        ),
        (
            {"smtpd_sasl_type": "postroad", "smtpd_sasl_path": "/u", "smtpd_sasl_external_maps": "x"},
            "smtpd_sasl_external_maps: ",
        ),
        (
            {"smtpd_sasl_type": "postroad", "smtpd_sasl_path": "/u", "smtpd_oauth_keys": "/k"},
            "smtpd_oauth_issuer has to be set",
        ),
        (
            {
                "smtpd_sasl_type": "postroad",
                "smtpd_sasl_path": "/u",
                "smtpd_oauth_keys": "/k",
                "smtpd_oauth_issuer": "x",
            },
            "smtpd_oauth_audience has to be set",
        ),
    ],
)
async def test_settings_that_cannot_be_used(build, texts, why):
    with pytest.raises(ValueError, match=why):
        build(**texts)


@pytest.mark.parametrize("path", ["inline:{joe={PLAIN}x}", "inline:{ann={PLAIN}x}, inline:{joe={PLAIN}x}"])
async def test_tables(build, path):
    authenticator = build(smtpd_sasl_type="postroad", smtpd_sasl_path=path)
    step = await authenticator.begin("PLAIN", a_session()).step(b"\0joe\0x")
    assert step.state is SaslState.DONE
    await authenticator.close()


@pytest.mark.parametrize("path", ["/nonexistent/users", "fail:x"])
async def test_what_cannot_be_read_is_no_answer(build, path):
    authenticator = build(smtpd_sasl_type="postroad", smtpd_sasl_path=path)
    step = await authenticator.begin("PLAIN", a_session()).step(b"\0joe\0x")
    assert step.state is SaslState.UNAVAILABLE


async def test_workers_share_the_limit(build):
    texts = {"smtpd_sasl_type": "postroad", "smtpd_sasl_path": "inline:{joe={PLAIN}x}"}
    for workers, limit, failures in ((1, "20", 20), (4, "20", 5), (50, "20", 3), (1, "0", 40)):
        authenticator = build(workers=workers, smtpd_sasl_failure_limit=limit, **texts)
        count = 0
        while not authenticator.throttle.refuses("192.0.2.1") and count < 40:
            await authenticator.begin("PLAIN", a_session()).step(b"x")
            count += 1
        assert count == failures


async def test_a_change_of_the_file_is_followed(build, tmp_path):
    path = tmp_path / "users"
    path.write_text("joe:{PLAIN}one\n")
    authenticator = build(
        tables=TableContext(interval=0.0), smtpd_sasl_type="postroad", smtpd_sasl_path=str(path)
    )

    async def tried(password):
        return (await authenticator.begin("PLAIN", a_session()).step(b"\0joe\0" + password)).state

    assert await tried(b"one") is SaslState.DONE
    path.write_text("joe:{PLAIN}two\n")
    assert await tried(b"one") is SaslState.FAILED
    assert await tried(b"two") is SaslState.DONE
    path.write_text("joe:{LOCKED}{PLAIN}two\n")
    assert await tried(b"two") is SaslState.FAILED
    await authenticator.close()


async def test_services_and_reloads_share_the_count(build):
    texts = {"smtpd_sasl_type": "postroad", "smtpd_sasl_path": "inline:{joe={PLAIN}x}"}
    clock = SystemClock()
    one, two = build(clock, **texts), build(clock, smtpd_sasl_mechanisms="LOGIN", **texts)
    assert one.throttle is two.throttle
    assert build(clock, smtpd_sasl_failure_limit="7", **texts).throttle is not one.throttle
