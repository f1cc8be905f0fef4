"""The content filter's configuration: whose mail goes there, and what cannot work."""

from __future__ import annotations

import pytest

from app.texts import config_of
from postroad.app.contentfilter import before_queue, check, intake_settings, pickup_settings
from postroad.base.errors import Severity
from postroad.base.log import ListSink, Log
from postroad.filters.proxy import ProxiedPolicy, Proxy
from postroad.intake.params import ALWAYS_BCC
from postroad.model.params import CONTENT_FILTER, RECEIVE_OVERRIDE_OPTIONS
from postroad.policy.service import ServicePolicy

BACK = "2526 inet n - n - - smtpd -o content_filter= -o receive_override_options=no_address_mappings\n"
FILTERED = "content_filter = smtp:[127.0.0.1]:10024\n"


def test_a_filter_with_a_way_back_is_right():
    assert check(config_of(FILTERED, BACK)) == []
    assert check(config_of()) == []


@pytest.mark.parametrize("transport", ["amavis", "amavis:[127.0.0.1]:10024"])
def test_a_transport_that_master_cf_lacks_is_an_error_that_says_what_to_write(transport):
    [problem] = check(config_of(f"content_filter = {transport}\n", BACK))
    assert problem.severity is Severity.ERROR
    assert problem.where == "main.cf:9"
    assert problem.message == "content_filter: there is no service amavis in master.cf"
    assert "amavis unix" in problem.hint
    assert check(config_of(f"content_filter = {transport}\n", BACK + "amavis unix - - n - 2 smtp\n")) == []


def test_a_filter_without_a_transport_is_an_error():
    [problem] = check(config_of("content_filter = :[127.0.0.1]:10024\n", BACK))
    assert problem.severity is Severity.ERROR
    assert "no transport" in problem.message


def test_a_services_own_filter_is_looked_at_where_it_stands():
    [problem] = check(config_of("", "2526 inet n - n - - smtpd -o content_filter=nosuch:x\n"))
    assert problem.where == "master.cf:4"
    assert "no service nosuch" in problem.message


def test_an_override_that_does_not_exist_is_an_error():
    [problem] = check(config_of("receive_override_options = no_milters, no_header_checks\n"))
    assert problem.severity is Severity.ERROR
    assert '"no_header_checks"' in problem.message
    assert "no_header_body_checks" in problem.hint


def test_a_filter_without_a_way_back_is_a_warning():
    [problem] = check(config_of(FILTERED))
    assert problem.severity is Severity.WARNING
    assert "-o content_filter=" in problem.hint


def test_a_way_back_or_none_may_lead_through_postscreen():
    screen = "2527 inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd"
    assert check(config_of(FILTERED, f"{screen} -o content_filter=\n")) == []
    [problem] = check(config_of(FILTERED, f"{screen}\n"))
    assert "-o content_filter=" in problem.hint


def test_a_filter_before_the_queue_has_a_place_and_known_options():
    master = "2526 inet n - n - - smtpd -o smtpd_proxy_filter=127.0.0.1:10025 -o smtpd_proxy_options=speed_adjust\n"
    assert check(config_of("", master)) == []
    master = "2526 inet n - n - - smtpd -o smtpd_proxy_filter=a:b:c -o smtpd_proxy_options=faster\n"
    place, option = check(config_of("", master))
    assert {place.severity, option.severity} == {Severity.ERROR}
    assert "bad smtpd_proxy_filter: a:b:c" in place.message
    assert 'unknown smtpd_proxy_options value "faster"' in option.message
    assert place.where == option.where == "master.cf:4"
    [problem] = check(config_of("smtpd_proxy_filter = 127.0.0.1:10025\n"))
    assert problem.severity is Severity.WARNING
    assert "-o smtpd_proxy_filter=" in problem.hint


async def test_who_gets_a_services_mail(core):
    intake, policy, log = object(), ServicePolicy.__new__(ServicePolicy), Log(ListSink())
    policy.stages = frozenset()

    def found(main):
        return before_queue(config_of(main).settings, policy, intake, log, core)

    assert found("") == (policy, intake)
    place = "smtpd_proxy_filter = 127.0.0.1:10025\n"
    asked, proxy = found(place)
    assert isinstance(asked, ProxiedPolicy)
    assert isinstance(proxy, Proxy)
    assert found(place + "smtpd_proxy_options = speed_adjust\n")[0] is policy


def test_a_services_mail_is_taken_in_by_the_servers_rules_but_for_filter_and_overrides():
    config = config_of(FILTERED + "always_bcc = a@example.test\n", BACK.strip() + " -o always_bcc=other@x\n")
    own = intake_settings(config.settings_for("2526/inet"), config.settings)
    assert own[CONTENT_FILTER] == ""
    assert own[RECEIVE_OVERRIDE_OPTIONS] == ("no_address_mappings",)
    assert own[ALWAYS_BCC] == "a@example.test"
    assert intake_settings(config.settings, config.settings) is config.settings


def test_local_users_have_the_filter_of_pickup():
    assert pickup_settings(config_of(FILTERED))[CONTENT_FILTER] == "smtp:[127.0.0.1]:10024"
    pickup = "pickup unix n - n 60 1 pickup -o content_filter=\n"
    assert pickup_settings(config_of(FILTERED, pickup))[CONTENT_FILTER] == ""
