"""The main.cf and master.cf of both Postfix and Postroad: they differ in places and owner alone."""

import shutil
from pathlib import Path

from benchmarks import tunnel
from benchmarks.peers.peer import SINK_PORT, TLS_SINK_PORT, WRAPPED_PORTS, Plan

MAILBOX_UID = 8  # Debian's user "mail"
PROCESSES = 250
MAIN = """compatibility_level = 3.6
myhostname = bench.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mail_owner = {owner}
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file = {place}/log/maillog
maillog_file_prefixes = {place}
alias_maps =
alias_database =
local_recipient_maps =
message_size_limit = 50000000
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
default_process_limit = {processes}
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
qmgr_message_active_limit = 50000
qmgr_message_recipient_limit = 50000
initial_destination_concurrency = 20
default_destination_concurrency_limit = 20
smtp_connection_cache_destinations = [127.0.0.1]:{sink}
smtp_connection_reuse_time_limit = 300s
"""
NEXT_HOP = {
    "relay": "relayhost = [127.0.0.1]:{sink}\n",
    "accept": "relayhost = [127.0.0.1]:{sink}\ndefer_transports = smtp\n",
    "lmtp": "default_transport = lmtp:[127.0.0.1]:{sink}\n",
    "local": """virtual_mailbox_domains = receiver.example
virtual_mailbox_base = {place}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
""",
}
TLS = """smtpd_tls_security_level = may
smtpd_tls_cert_file = {place}/etc/certificate.pem
smtp_tls_security_level = encrypt
smtp_tls_connection_reuse = yes
"""
TLS_MASTER = """127.0.0.1:{wrapped} inet n - n - {smtpd} smtpd
  -o smtpd_tls_wrappermode=yes
tlsmgr unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
"""
PATIENT = "minimal_backoff_time = 10h\nmaximal_backoff_time = 20h\nmaximal_queue_lifetime = 30d\n"
MASTER = """127.0.0.1:{port} inet n - n - {smtpd} smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def main_cf(place: Path, owner: str, plan: Plan) -> str:
    text = MAIN + NEXT_HOP[plan.mode] + (PATIENT if plan.patient else "") + (TLS if plan.tls else "")
    sink = TLS_SINK_PORT if plan.tls else SINK_PORT
    return text.format(place=place, owner=owner, sink=sink, uid=MAILBOX_UID, processes=PROCESSES)


def master_cf(port: int, plan: Plan) -> str:
    """Return the services; smtpd without a limit where more sessions come than the default allows."""
    smtpd = "-" if plan.sessions < PROCESSES else 0
    text = MASTER + (TLS_MASTER if plan.tls else "")
    return text.format(port=port, wrapped=port + WRAPPED_PORTS, smtpd=smtpd)


def write(place: Path, owner: str, port: int, plan: Plan) -> None:
    """Make what both need beside the queue."""
    for name, user in (("etc", "root"), ("data", owner), ("log", owner), ("mail", MAILBOX_UID)):
        (place / name).mkdir(parents=True, exist_ok=True)
        shutil.chown(place / name, user)
    (place / "etc/main.cf").write_text(main_cf(place, owner, plan))
    (place / "etc/master.cf").write_text(master_cf(port, plan))
    if plan.tls:
        tunnel.certificate(place / "etc/certificate.pem")
