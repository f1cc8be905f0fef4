"""A whole server: what it says when it cannot start, reloads, signals, the control socket, its end."""

import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys

import pytest
from cryptography import x509

from peers.certificates import self_signed
from peers.harness import Postroad, free_port, message, until
from postroad.net.control import ask
from postroad.store.shard import Shard

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs the rights of root")


@pytest.fixture
def server(place):
    with Postroad(place) as running:
        yield running


def control(server, **request):
    return ask(server.work / "queue/control", request, timeout=30)


def greeting(host, port):
    with socket.create_connection((host, port), timeout=30) as peer:
        return peer.recv(100)


def start(server):
    """Start a server that is expected to refuse; returns its exit status and what it said."""
    command = [sys.executable, "-m", "postroad", "start", "--foreground", "-c", str(server.etc)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


# --- the start


def test_a_second_server_is_refused_with_the_pid_of_the_first(server):
    status, said = start(server)
    assert status == 1
    assert f"process {server.pid}" in said
    assert greeting(server.host, server.port).startswith(b"220 ")


def test_a_port_in_use_is_named_with_its_line_and_nothing_is_left_behind(place):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = Postroad(place, port=port)
        status, said = start(server)
    assert status == 1
    assert "master.cf:1: bind [127.0.0.1]" in said
    assert f":{port}: Address already in use (another program listens there)" in said
    assert not (server.work / "queue/public/pickup").exists()
    assert not (server.work / "queue/control").exists()


def test_every_problem_of_a_configuration_is_told_with_file_and_line(place):
    server = Postroad(place, main="smtpd_timeout = soon\nqueue_run_delay = -\n")
    lines = (server.etc / "main.cf").read_text().splitlines()
    status, said = start(server)
    assert status == 1
    assert f"main.cf:{lines.index('smtpd_timeout = soon') + 1}: " in said
    assert f"main.cf:{lines.index('queue_run_delay = -') + 1}: " in said


def test_a_queue_of_a_server_that_was_killed_is_taken_over_at_once(place):
    with Postroad(place) as server:
        process, server.process = server.process, None
        workers = control(server, verb="status")["workers"]
        process.kill()
        process.wait()
        server.start()
        assert server.process.pid != process.pid
        assert control(server, verb="status")["workers"] != workers
        assert greeting(server.host, server.port).startswith(b"220 ")


def test_shards_of_workers_that_are_no_more_are_adopted(place):
    server = Postroad(place)
    orphan = server.work / "queue/shard-7"
    Shard(orphan).close()
    if os.geteuid() == 0:
        for path in (orphan, *orphan.rglob("*")):
            os.chown(path, 65534, 65534)
    with server:
        server.wait_log(r"0 messages taken over from shard-7")
        assert not orphan.exists()


def test_nothing_is_imported_from_the_queue_directory(place):
    server = Postroad(place)
    (server.work / "queue/apsw.py").write_text("raise SystemExit('planted')")
    with server:
        assert greeting(server.host, server.port).startswith(b"220 ")


@root
def test_workers_have_no_rights_but_mail_owners(server):
    for pid in control(server, verb="status")["workers"]:
        with open(f"/proc/{pid}/status") as file:
            fields = dict(line.split(":", 1) for line in file)
        assert fields["Uid"].split() == ["65534"] * 4
        assert fields["Gid"].split() == ["65534"] * 4
        assert int(fields["CapEff"], 16) == 0
        assert "0" not in fields["Groups"].split()


# --- while it runs


def test_mail_goes_through_it(server):
    server.send("a@client.example", "alice@example.test", message())
    assert b"Subject: A test" in server.wait_mail("alice")[0]


def test_a_worker_that_dies_is_replaced_and_its_port_is_served_again(server):
    [first] = control(server, verb="status")["workers"]
    os.kill(first, signal.SIGKILL)
    assert greeting(server.host, server.port).startswith(b"220 ")  # it waited in the socket's queue
    [second] = control(server, verb="status")["workers"]
    assert second != first
    server.wait_log(rf"warning: process worker 0 pid {first} killed by signal 9")
    assert b"example.test" in greeting(server.host, server.port)


@root
def test_a_mailbox_helper_that_dies_is_replaced(place):
    with Postroad(place, main="virtual_uid_maps = static:4321\nvirtual_gid_maps = static:4321\n") as server:
        (server.mail / "alice").mkdir()
        os.chown(server.mail / "alice", 4321, 4321)
        [helper] = server.pids("mailbox.helper")
        os.kill(helper, signal.SIGKILL)
        server.wait_log(rf"mailbox helper pid {helper} ended")
        until(lambda: server.pids("mailbox.helper"))
        server.send("a@client.example", "alice@example.test", message())
        server.wait_mail("alice")


@root
def test_other_bounds_for_mailboxes_reach_the_helper_by_a_reload(place):
    users = "virtual_uid_maps = static:4321\nvirtual_gid_maps = static:4321\nvirtual_minimum_uid = {}\n"
    with Postroad(place, main=users.format(5000)) as server:
        (server.mail / "alice").mkdir()
        os.chown(server.mail / "alice", 4321, 4321)
        [first] = server.pids("mailbox.helper")
        server.configure("virtual_minimum_uid = 100")
        assert server.reload().returncode == 0
        server.send("a@client.example", "alice@example.test", message())
        server.wait_mail("alice")
        until(lambda: first not in server.pids("mailbox.helper"))


def test_signals_reload_reopen_the_log_and_stop(server):
    os.kill(server.pid, signal.SIGHUP)
    server.wait_log(r"master\[\d+\]: reload -- version")
    (server.work / "maillog").rename(server.work / "maillog.1")
    os.kill(server.pid, signal.SIGUSR1)
    until((server.work / "maillog").exists)
    greeting(server.host, server.port)
    server.wait_log(r"smtpd\[\d+\]: connect from")
    process = server.process
    assert server.stop() == 0
    assert process.returncode == 0
    assert "terminating on signal 15" in server.log()


# --- reloads


def test_a_reload_adds_and_removes_listeners_and_sessions_survive(server):
    port = free_port()
    text = (server.etc / "master.cf").read_text()
    with server.connect() as client:
        server.write("master.cf", text + f"{port} inet n - n - - smtpd\n")
        assert server.reload().returncode == 0
        assert greeting(server.host, port).startswith(b"220 ")
        with socket.create_connection((server.host, port), timeout=30) as session:
            session.recv(100)
            server.write("master.cf", text)
            assert server.reload().returncode == 0
            with pytest.raises(ConnectionRefusedError):
                greeting(server.host, port)
            session.sendall(b"NOOP\r\n")
            assert session.recv(100).startswith(b"250 ")
        assert client.sendmail("a@client.example", "alice@example.test", message()) == {}
    server.wait_mail("alice")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smtpd_timeout = soon", "smtpd_timeout"),
        ("queue_directory = /nonexistent/queue", "queue_directory cannot be changed while the server runs"),
        ("inet_interfaces = 192.0.2.1", "bind [192.0.2.1]"),
    ],
)
def test_a_reload_with_a_problem_returns_it_and_the_old_settings_stay(server, text, words):
    before = control(server, verb="status")
    server.configure(text + "\nsmtpd_banner = changed")
    answer = control(server, verb="reload")
    assert words in "".join(answer["problems"])
    assert "main.cf:" in answer["problems"][0] or "master.cf:" in answer["problems"][0]
    server.wait_log("reload refused: ")
    assert b"changed" not in greeting(server.host, server.port)
    assert control(server, verb="status") == before


def test_what_only_a_restart_can_change_is_said(server):
    server.configure("worker_processes = 7\nsmtpd_banner = changed")
    assert server.reload().returncode == 0
    server.wait_log("warning: to change worker_processes, stop and start the server")
    assert b"changed" in greeting(server.host, server.port)


# --- the control socket


def test_the_status_names_the_processes(server):
    answer = control(server, verb="status")
    assert answer["pid"] == server.pid
    assert set(answer["workers"]) == set(server.pids("app.worker"))


@pytest.mark.parametrize("request_", [{"verb": "nonsense"}, {"verb": ["x"]}, {}])
def test_a_request_that_is_none_is_refused(server, request_):
    assert "unknown request" in control(server, **request_)["error"]


@root
def test_other_users_may_look_and_flush_and_no_more(server):
    code = (
        "import json, os, sys; from postroad.net.control import ask; os.setgid(4321); os.setuid(4321)\n"
        "for verb in ('list', 'flush', 'delete', 'reload', 'stop', 'reopen', 'status', 7):\n"
        "    answer = ask(sys.argv[1], {'verb': verb, 'ids': 'ALL'}); print(answer.get('code', 0))"
    )
    command = [sys.executable, "-c", code, str(server.work / "queue/control")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "77", "77", "77", "77", "0", "77"]
    server.configure("authorized_mailq_users =\nauthorized_flush_users =")
    assert server.reload().returncode == 0
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split()[:2] == ["77", "77"]


def test_queue_requests_reach_every_worker(place):
    with Postroad(place, workers=2, main="default_transport = smtp:[127.0.0.1]:1\n") as server:
        for number in range(6):
            server.send("a@client.example", f"r{number}@elsewhere.example", message())
        until(lambda: len(control(server, verb="list").get("messages", [])) == 6)
        answer = control(server, verb="delete", ids="ALL")
        assert len(answer["changed"]) == 6
        server.wait_empty()


# --- the end


def test_an_idle_server_stops_at_once(server):
    server.configure("shutdown_time_limit = 100s")
    assert server.reload().returncode == 0
    assert control(server, verb="stop") == {"pid": server.pid}
    assert server.process.wait(30) == 0
    assert not (server.work / "queue/control").exists()
    assert not (server.work / "queue/public/pickup").exists()


def test_a_stop_ends_idle_sessions_and_finishes_a_transaction(server):
    idle = server.connect()
    busy = server.connect()
    busy.ehlo()
    busy.mail("a@client.example")
    busy.rcpt("alice@example.test")
    busy.docmd("DATA")
    os.kill(server.pid, signal.SIGTERM)
    assert idle.getreply()[0] == 421
    assert server.process.poll() is None
    busy.send(message() + b".\r\n")
    assert busy.getreply()[0] == 250
    assert server.process.wait(30) == 0
    for client in (idle, busy):
        client.close()
    assert len(server.mailbox("alice")) + len(json.loads(queue_size(server))) == 1


def queue_size(server):
    done = server.run("postqueue", "-j")
    return "[" + ",".join(done.stdout.splitlines()) + "]"


def test_sessions_from_before_a_reload_are_finished_as_well(server):
    client = server.connect()
    client.ehlo()
    client.mail("a@client.example")
    client.rcpt("alice@example.test")
    client.docmd("DATA")
    assert server.reload().returncode == 0
    os.kill(server.pid, signal.SIGTERM)
    server.wait_log("terminating on signal 15")
    client.send(message() + b".\r\n")
    assert client.getreply()[0] == 250
    client.close()
    assert server.process.wait(30) == 0


def test_workers_end_when_the_supervisor_is_killed(server):
    [worker] = server.pids("app.worker")
    process, server.process = server.process, None
    process.kill()
    process.wait()
    until(lambda: not os.path.exists(f"/proc/{worker}") or gone(worker), 30)


def gone(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


# --- certificates


def secured(server, **options):
    """Begin with TLS; returns the certificate that was served."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(server.host, server.port, timeout=30) as client:
        client.ehlo()
        client._host = options.get("name", server.host)
        client.starttls(context=context)
        assert client.ehlo()[0] == 250
        return x509.load_der_x509_certificate(client.sock.getpeercert(binary_form=True))


def write_pair(server, pair):
    """Replace the certificate and its key, one file after the other."""
    for name, data in (("cert.pem", pair.certificate_pem), ("key.pem", pair.key_pem)):
        path = server.etc / name
        path.unlink(missing_ok=True)
        path.touch(0o600)
        path.write_bytes(data)


TLS = "smtpd_tls_security_level = may\nsmtpd_tls_loglevel = 1\n"
NAMED = "smtpd_tls_cert_file = {etc}/cert.pem\nsmtpd_tls_key_file = {etc}/key.pem\n"


def test_certificates_that_only_root_can_read_are_served_and_renewed(place):
    one, two, three = (self_signed(f"{name}.test") for name in ("one", "two", "three"))
    server = Postroad(place, main=TLS + NAMED, workers=2)
    write_pair(server, one)
    with server:
        assert {secured(server) for _ in range(8)} == {one.certificate}
        write_pair(server, two)
        until(lambda: secured(server) == two.certificate, 30)
        until(lambda: {secured(server) for _ in range(8)} == {two.certificate}, 30)
        until(lambda: f"changed files are in force: {server.etc}/cert.pem" in server.log())
        (server.etc / "key.pem").write_bytes(three.key_pem)
        until(lambda: "the private key is not that of the certificate" in server.log(), 30)
        assert secured(server) == two.certificate
        # a worker that takes another's place gets what is in force, not what is there
        for worker in control(server, verb="status")["workers"]:
            os.kill(worker, signal.SIGKILL)
        until(lambda: _serves(server), 30)
        assert secured(server) == two.certificate
        assert server.reload().returncode != 0
        assert secured(server) == two.certificate
        (server.etc / "cert.pem").write_bytes(three.certificate_pem)
        assert server.reload().returncode == 0
        assert secured(server) == three.certificate
    assert "BEGIN" not in server.log()


def _serves(server):
    try:
        return bool(greeting(server.host, server.port))
    except OSError:
        return False


def test_without_a_certificate_one_is_made(place):
    with Postroad(place, main=TLS) as server:
        made = secured(server)
        path = server.work / "data/tls/self-signed.pem"
        assert (
            f"made a certificate for {server.run('postconf', '-h', 'myhostname').stdout.strip()}"
            in server.log()
        )
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.stat().st_uid == os.geteuid()
    with server:
        assert secured(server) == made
        assert server.log().count("made a certificate") == 1


def test_a_certificate_that_cannot_be_used_is_named_at_the_start(place):
    server = Postroad(place, main=TLS + NAMED)
    write_pair(server, self_signed("one.test"))
    (server.etc / "key.pem").write_bytes(self_signed("two.test").key_pem)
    status, said = start(server)
    assert status == 1
    assert "the private key is not that of the certificate" in said


def test_server_names_have_certificates_of_their_own(place):
    one, name = self_signed("one.test"), self_signed("name.test")
    server = Postroad(place, main=TLS + NAMED + "tls_server_sni_maps = hash:{etc}/sni\n")
    write_pair(server, one)
    (server.etc / "name.pem").touch(0o600)
    (server.etc / "name.pem").write_bytes(name.key_pem + name.certificate_pem)
    server.write("sni", f"name.test {server.etc}/name.pem\n")
    with server:
        assert secured(server, name="name.test") == name.certificate
        assert secured(server, name="other.test") == one.certificate
        server.write("sni", f".test {server.etc}/name.pem\n")
        until(lambda: secured(server, name="other.test") == name.certificate, 30)
