import pytest

from postroad.app.registry import registry as all_rooms
from postroad.base.config import find_facts, load, load_texts
from postroad.base.errors import ConfigurationError, Severity
from postroad.base.kinds import INT, LIST, STRING
from postroad.base.params import Facts, Group, Registry

MASTER = """\
smtp inet n - n - - smtpd
587 inet n - n - - smtpd -o limit=5 -o banner=$service_name
    -o { words = a b }
relay unix - - n - - smtp
"""


@pytest.fixture
def registry():
    group = Group("room")
    group.declare("limit", INT, "20", "", low=1)
    group.declare("banner", STRING, "$myhostname ESMTP", "")
    group.declare("words", LIST, "", "")
    group.declare("myorigin", STRING, "$myhostname", "")
    group.declare("myhostname", STRING, lambda facts: facts.hostname, "")
    group.declare("default_limit", INT, "7", "")
    group.declare_family("_recipient_limit", INT, "$default_limit", "", low=1)
    return Registry([group])


@pytest.fixture
def configure(registry):
    def make(main="", master=MASTER):
        return load_texts(main, master, "/etc/x", registry, Facts(hostname="mx.example"))

    return make


def texts_of(config, severity):
    return [str(problem) for problem in config.problems if problem.severity is severity]


def test_a_service_with_overrides_has_settings_of_its_own(configure, registry):
    config = configure("limit = 9")
    submission = config.service("587", "inet")
    assert config.settings_for(submission)[registry["limit"]] == 5
    assert config.settings_for("587/inet")[registry["words"]] == ("a", "b")
    assert config.settings_for(submission).texts["banner"] == "587"
    assert config.settings[registry["limit"]] == 9


def test_services_without_overrides_share_one_settings_object(configure):
    config = configure()
    assert config.settings_for(config.service("smtp", "inet")) is config.settings
    assert config.settings_for(config.service("relay")) is config.settings
    assert config.service("nosuch") is None


def test_main_says_what_is_set_and_where(configure):
    config = configure("# x\nlimit = 9\nbanner = $limit")
    assert config.main == {"limit": ("9", "main.cf:2"), "banner": ("$limit", "main.cf:3")}
    assert config.where("limit") == "main.cf:2"
    assert config.where("limit", config.service("587", "inet")) == "master.cf:2"
    assert config.where("words", config.service("587", "inet")) == "master.cf:3"
    assert config.where("words") == ""


def test_all_errors_come_at_once_in_order_of_place(configure):
    config = configure("limit = x\nfoo\nbanner = ${\n", "smtp inet\nx unix - - n - - smtp -o limit=0")
    assert [problem.where for problem in config.errors] == [
        "main.cf:1",
        "main.cf:2",
        "main.cf:3",
        "master.cf:1",
        "master.cf:2",
    ]
    with pytest.raises(ConfigurationError) as caught:
        config.require()
    assert len(caught.value.problems) == 5


def test_a_sound_configuration_is_its_own_requirement(configure):
    config = configure()
    assert config.require() is config


@pytest.mark.parametrize(
    ("main", "says"),
    [
        ("limt = 1", ["main.cf:1: unused parameter: limt=1 (did you mean 'limit'?)"]),
        ("zzzzqqq = 1", ["main.cf:1: unused parameter: zzzzqqq=1"]),
        (
            "other_recipient_limit = 1",
            [
                "main.cf:1: unused parameter: other_recipient_limit=1 (no service in master.cf is called other)"
            ],
        ),
        ("relay_recipient_limit = 1", []),
        ("mine = 1\nbanner = $mine", []),
        ("mine = 1\nyours = ${mine}", ["main.cf:2: unused parameter: yours=${mine}"]),
        ("smtpd_restriction_classes = mine\nmine = reject", []),
        ("html_directory = no", []),
        ("virtual_mailbox_maps = ldap:accounts\naccounts_server_host = x", []),
        ("relay_time_limit = 5", []),
    ],
)
def test_a_name_that_nobody_knows_or_uses_is_a_warning(configure, main, says):
    assert texts_of(configure(main), Severity.WARNING) == says


def test_an_unknown_override_is_a_warning_with_its_own_line(configure):
    config = configure("", "smtp inet n - n - - smtpd\n  -o nosuch=1")
    assert texts_of(config, Severity.WARNING) == ["master.cf:2: unused parameter: nosuch=1"]


def test_names_that_postfix_sets_itself_cannot_be_set(configure):
    config = configure("process_name = x")
    assert "read-only parameter assignment: process_name=x" in config.problems[0].message
    assert "process_name" not in config.main


def test_without_master_cf_postfixs_services_run(configure):
    config = configure("", None)
    assert config.service("smtp", "inet").command == "smtpd"
    assert config.errors == []


def test_myorigin_may_be_a_file(configure, tmp_path, registry):
    path = tmp_path / "mailname"
    path.write_text("example.org\nx\n")
    assert configure(f"myorigin = {path}").settings[registry["myorigin"]] == "example.org"
    missing = configure(f"myorigin = {path}.not")
    assert missing.settings[registry["myorigin"]] == "mx.example"
    assert "No such file" in texts_of(missing, Severity.WARNING)[0]


def test_files_are_read_with_byte_order_mark_and_foreign_bytes(tmp_path, registry):
    (tmp_path / "main.cf").write_bytes(b"\xef\xbb\xbflimit = 3\r\nbanner = \xff\r\n")
    config = load(str(tmp_path), registry, find_facts(str(tmp_path)))
    assert config.errors == []
    assert config.settings[registry["limit"]] == 3
    assert config.settings[registry["banner"]].encode("utf-8", "surrogateescape") == b"\xff"


def test_a_missing_main_cf_is_an_error(tmp_path, registry):
    config = load(str(tmp_path), registry, Facts())
    assert "No such file or directory" in config.errors[0].message
    assert config.settings[registry["limit"]] == 20


def test_a_file_that_cannot_be_read_is_an_error(tmp_path, registry):
    (tmp_path / "main.cf").write_text("")
    (tmp_path / "master.cf").mkdir()
    assert "master.cf" in load(str(tmp_path), registry, Facts()).errors[0].message


def test_the_facts_name_the_host_its_addresses_and_the_directory():
    facts = find_facts("/etc/x")
    assert facts.hostname
    assert facts.config_directory == "/etc/x"
    assert any(text.startswith("127.") for text in facts.interfaces)


def test_clients_come_to_services_with_a_port_and_to_those_behind_postscreen():
    master = (
        "smtp inet n - n - 1 postscreen\n10025 inet n - n - 1 postscreen\n  -o smtpd_service_name=other\n"
        "smtpd pass - - n - - smtpd\nother pass - - n - - smtpd\nidle pass - - n - - smtpd\n"
        "587 inet n - n - - smtpd\nsmtp unix - - n - - smtp\n"
    )
    config = load_texts("smtpd_service_name = smtpd\n", master, "/etc/x", all_rooms(), Facts())
    assert [each.key for each in config.smtp_servers] == ["smtpd/pass", "other/pass", "587/inet"]
