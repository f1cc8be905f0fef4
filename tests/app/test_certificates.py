"""What is read for the workers, from where, and what is said of what cannot be used."""

import os

import pytest

from app.texts import config_of
from peers.certificates import Authority, self_signed
from peers.tlsends import pem
from postroad.app.certificates import (
    Certificates,
    Collector,
    check,
    client_chains,
    demands_tls,
    needs_self_signed,
    read_file,
)
from postroad.base.errors import Severity

CA = Authority()
ONE, TWO = CA.issue("one.test"), CA.issue("two.test")
MAY = "smtpd_tls_security_level = may\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "one.pem").write_bytes(pem(ONE))
    (tmp_path / "two.pem").write_bytes(pem(TWO))
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    (tmp_path / "key.pem").write_bytes(ONE.key_pem)
    (tmp_path / "mixed.pem").write_bytes(ONE.key_pem + TWO.certificate_pem)
    return tmp_path


def config(folder, main="", master=""):
    text = f"queue_directory = {folder}\ndata_directory = {folder}/data\n" + main.replace("{}", str(folder))
    return config_of(text, master.replace("{}", str(folder)), directory=str(folder))


def collect(*given, **more):
    collector = Collector(config(*given, **more))
    return collector, collector.collect()


def test_files_of_services_that_offer_tls_are_read(folder):
    main = MAY + "smtpd_tls_chain_files = {}/one.pem, two.pem\nsmtpd_tls_CAfile = {}/ca.pem\n"
    _, found = collect(folder, main)
    assert found.certificates.files == {
        f"{folder}/one.pem": pem(ONE),
        "two.pem": pem(TWO),  # relative to the queue directory, as for Postfix
        f"{folder}/ca.pem": CA.pem,
    }
    assert found.unreadable == {}


def test_files_of_those_that_do_not_are_left_alone(folder):
    main = "smtpd_tls_cert_file = {}/not-there.pem\nsmtpd_tls_chain_files = {}/one.pem\n"
    _, found = collect(folder, main)
    assert found.certificates.files == {}
    assert check(config(folder, main)) == []


def test_a_service_has_its_own_in_master_cf(folder):
    master = "2525 inet n - n - - smtpd\n -o smtpd_tls_wrappermode=yes -o smtpd_tls_cert_file={}/one.pem\n"
    _, found = collect(folder, "", master)
    assert set(found.certificates.files) == {f"{folder}/one.pem"}


def test_words_that_are_no_files(folder):
    main = MAY + "smtpd_tls_cert_file = none\nsmtpd_tls_dh1024_param_file = auto\n"
    _, found = collect(folder, main)
    assert found.stamps == {}


def test_files_of_the_client_side_are_read_as_well(folder):
    main = "smtp_tls_cert_file = {}/one.pem\nsmtp_tls_CAfile = {}/ca.pem\nlmtp_tls_chain_files = {}/two.pem\n"
    _, found = collect(folder, main, "lmtp unix - - n - - lmtp\n")
    assert set(found.certificates.files) == {f"{folder}/{name}.pem" for name in ("one", "ca", "two")}


def test_the_chains_that_a_client_shows(folder):
    main = "smtp_tls_cert_file = {}/one.pem\nsmtp_tls_key_file = {}/key.pem\n"
    made = config(folder, main)
    files = Collector(made).collect().certificates.files
    assert [chain.certificate for chain in client_chains("smtp", made.settings, files)] == [ONE.certificate]
    made = config(folder, main + "smtp_tls_chain_files = {}/two.pem\n")
    files = Collector(made).collect().certificates.files
    assert [chain.certificate for chain in client_chains("smtp", made.settings, files)] == [TWO.certificate]
    assert client_chains("lmtp", made.settings, files) == []


@pytest.mark.parametrize(
    ("main", "reason"),
    [
        ("smtpd_tls_chain_files = {}/none.pem\n", "open {}/none.pem: No such file or directory"),
        ("smtpd_tls_chain_files = {}\n", "open {}: Is a directory"),
        (
            "smtpd_tls_chain_files = {}/ca.pem\n",
            "{}/ca.pem: a certificate stands before the first private key",
        ),
        (
            "smtpd_tls_chain_files = {}/mixed.pem\n",
            "{}/mixed.pem: the private key is not that of the certificate",
        ),
        (
            "smtpd_tls_cert_file = {}/one.pem\nsmtpd_tls_key_file = {}/ca.pem\n",
            "{}/ca.pem: no private key in PEM",
        ),
    ],
)
def test_a_certificate_that_cannot_be_used_is_an_error_at_its_line(folder, main, reason):
    [problem] = check(config(folder, MAY + main))
    assert problem.message == reason.replace("{}", str(folder))
    assert problem.severity is Severity.ERROR
    assert problem.where.startswith("main.cf:")


def test_a_setting_of_tls_that_cannot_be_used_is_an_error(folder):
    [problem] = check(
        config(folder, MAY + "smtpd_tls_protocols = TLSv9\nsmtpd_tls_chain_files = {}/one.pem\n")
    )
    assert "TLSv9" in problem.message
    assert problem.severity is Severity.ERROR


def test_what_a_client_shows_is_worth_a_warning(folder):
    [problem] = check(config(folder, "smtp_tls_cert_file = {}/mixed.pem\n"))
    assert problem.severity is Severity.WARNING
    [problem] = check(config(folder, "smtp_tls_cert_file = {}/none.pem\n"))
    assert problem.message == f"open {folder}/none.pem: No such file or directory"


def test_an_expired_certificate_is_worth_a_warning(folder):
    (folder / "old.pem").write_bytes(pem(self_signed("old.test", expired=True)))
    [problem] = check(config(folder, MAY + "smtpd_tls_chain_files = {}/old.pem\n"))
    assert problem.message.startswith(f"{folder}/old.pem: the certificate has expired on ")
    assert problem.severity is Severity.WARNING


def test_who_is_not_root_cannot_tell(folder):
    (folder / "one.pem").chmod(0)
    given = config(folder, MAY + "smtpd_tls_chain_files = {}/one.pem\n")
    own = os.geteuid()
    if own == 0:  # who can read everything
        os.seteuid(65534)
    try:
        [problem] = check(given)
    finally:
        os.seteuid(own)
    assert problem.severity is Severity.WARNING


def test_when_a_certificate_is_made(folder):
    assert needs_self_signed(config(folder, MAY))
    assert needs_self_signed(config(folder, "", "2525 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"))
    assert not needs_self_signed(config(folder))
    assert not needs_self_signed(config(folder, MAY + "smtpd_tls_cert_file = none\n"))
    assert not needs_self_signed(config(folder, MAY + "smtpd_tls_eccert_file = {}/one.pem\n"))
    assert check(config(folder, MAY)) == []


def test_who_demands_tls(folder):
    for text, demands in (
        (MAY, False),
        ("smtpd_tls_security_level = encrypt\n", True),
        ("smtpd_enforce_tls = yes\n", True),
        ("smtpd_use_tls = yes\n", False),
        ("smtpd_tls_wrappermode = yes\n", True),
    ):
        assert demands_tls(config(folder, text).settings) is demands


# --- server names


def sni(folder, text, kind="texthash", more=""):
    (folder / "sni").write_text(text.replace("{}", str(folder)))
    return (
        MAY + "smtpd_tls_chain_files = {}/one.pem\n" + f"tls_server_sni_maps = {kind}:{folder}/sni\n" + more
    )


def test_a_table_of_server_names_is_listed_and_its_files_are_read(folder):
    main = sni(folder, "Two.test {}/two.pem\n.both.test {}/key.pem, {}/one.pem\n", kind="hash")
    (folder / "one.pem").write_bytes(ONE.certificate_pem)
    main = main.replace("{}/one.pem", "{}/two.pem")
    made = config(folder, main)
    found = Collector(made).collect()
    names = found.certificates.names_for(made.settings)
    assert set(names) == {"two.test", ".both.test"}
    assert names[".both.test"] == ONE.key_pem + b"\n" + ONE.certificate_pem
    assert {f"{folder}/sni", f"{folder}/two.pem", f"{folder}/key.pem"} <= found.stamps.keys()
    assert (found.names, found.tables) == ({}, {})


def test_a_table_in_main_cf_and_the_first_of_two_counts(folder):
    main = sni(folder, "one.test {}/one.pem\n")
    main = main.replace(
        "tls_server_sni_maps = ", "tls_server_sni_maps = inline:{{one.test=TWO}} ", 1
    ).replace("TWO", str(folder / "two.pem"))
    main = main.replace("{{", "{").replace("}}", "}")
    made = config(folder, main)
    assert Collector(made).collect().certificates.names_for(made.settings) == {"one.test": pem(TWO)}


def test_a_broken_chain_of_a_name_is_named_and_left_out(folder):
    main = sni(folder, "a.test {}/none.pem\nb.test {}/mixed.pem\nc.test {}/two.pem\n")
    made = config(folder, main)
    found = Collector(made).collect()
    assert set(found.certificates.names_for(made.settings)) == {"c.test"}
    reasons = sorted(problem.message for problem in check(made))
    assert reasons == [
        f"tls_server_sni_maps: a.test: open {folder}/none.pem: No such file or directory",
        f"tls_server_sni_maps: b.test: b.test ({folder}/mixed.pem): the private key is not that of the certificate",
    ]
    assert {problem.severity for problem in check(made)} == {Severity.WARNING}


def test_a_table_that_cannot_be_listed_is_an_error_that_says_which_can(folder):
    main = sni(folder, "/x/ {}/one.pem\n", kind="regexp")
    problems = [each for each in check(config(folder, main)) if each.severity is Severity.ERROR]
    [problem] = problems
    assert problem.where.startswith("main.cf:")
    assert "its names cannot be listed; tables of the types hash, btree" in problem.message


def test_a_table_that_cannot_be_read_is_a_warning(folder):
    main = sni(folder, "").replace("/sni", "/none")
    [problem] = check(config(folder, main))
    assert problem.severity is Severity.WARNING
    assert "No such file" in problem.message


def test_services_may_have_tables_of_their_own(folder):
    main = sni(folder, "one.test {}/one.pem\n")
    master = "2525 inet n - n - - smtpd -o tls_server_sni_maps=inline:{two.test=FOLDER/two.pem}\n"
    made = config(folder, main, master.replace("FOLDER", str(folder)))
    certificates = Collector(made).collect().certificates
    other = next(service for service in made.services if service.name == "2525")
    assert set(certificates.names_for(made.settings)) == {"one.test"}
    assert set(certificates.names_for(made.settings_for(other))) == {"two.test"}


# --- the way to the workers


def test_what_is_packed_is_unpacked_and_cannot_be_changed(monkeypatch):
    given = Certificates({"/a": b"\x00key"}, {"hash:/sni": {"a.test": b"pem"}})
    fd = given.pack()
    with pytest.raises(OSError):
        os.write(fd, b"x")
    with pytest.raises(OSError):
        os.ftruncate(fd, 0)
    assert Certificates.unpack(os.dup(fd)) == given
    assert Certificates.unpack(fd) == given  # whoever read it before
    with pytest.raises(OSError):
        os.fstat(fd)
    monkeypatch.delattr("os.memfd_create")
    assert Certificates.unpack(given.pack()) == given


def test_a_file_must_be_a_plain_one_of_reasonable_size(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a plain file"):
        read_file(str(tmp_path / "pipe"))
    (tmp_path / "large").write_bytes(b"x" * 11)
    monkeypatch.setattr("postroad.app.certificates._MOST", 10)
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_file(str(tmp_path / "large"))


def test_what_files_look_like_now(folder):
    collector, found = collect(folder, MAY + "smtpd_tls_chain_files = {}/one.pem {}/later.pem\n")
    assert collector.stamps(found) == found.stamps
    assert found.stamps[f"{folder}/later.pem"] == ()
    (folder / "later.pem").write_bytes(b"")
    assert collector.stamps(found) != found.stamps


def test_tables_of_passwords_are_read_like_keys(folder):
    (folder / "passwords").write_bytes(b"relay.test user:secret\n")
    main = f"smtp_sasl_password_maps = proxy:hash:{folder}/passwords, static:a:b\n"
    assert collect(folder, main)[1].certificates.files == {}
    _, found = collect(folder, main + "smtp_sasl_auth_enable = yes\n")
    assert found.certificates.files == {f"{folder}/passwords": b"relay.test user:secret\n"}
