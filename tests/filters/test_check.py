from filters.conftest import settings
from postroad.base.errors import Severity
from postroad.filters.check import check


def found(**texts):
    return [(each.where, each.message) for each in check(settings(**texts), lambda name: f"main.cf:{name}")]


def test_good_settings():
    assert found() == []
    assert (
        found(smtpd_milters="inet:a:1 { unix:b, default_action=accept }", milter_macro_defaults="j=x") == []
    )
    assert found(internal_mail_filter_classes="bounce") == []


def test_what_is_wrong_is_named_with_its_place():
    assert found(smtpd_milters="a:1", non_smtpd_milters="inet:x", milter_macro_defaults="j") == [
        ("main.cf:smtpd_milters", "smtpd_milters: invalid transport name: a in Milter service: a:1"),
        ("main.cf:non_smtpd_milters", 'non_smtpd_milters: Milter service needs host:port instead of "x"'),
        ("main.cf:milter_macro_defaults", "milter_macro_defaults: missing '=' after attribute name: \"j\""),
    ]
    ((where, text),) = found(smtpd_milters="inet:a:1", milter_default_action="drop")
    assert (where, text) == ("main.cf:smtpd_milters", "smtpd_milters: unrecognized default action: drop")


def test_classes():
    problems = check(settings(internal_mail_filter_classes="bounce notify odd"), lambda name: name)
    assert [(each.severity, each.message.partition(": ")[2]) for each in problems] == [
        (Severity.MEANINGLESS, "no mail of the class notify is made here"),
        (Severity.ERROR, "unknown class odd"),
    ]
