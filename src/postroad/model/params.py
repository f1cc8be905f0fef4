"""Parameters that several rooms obey.  Those of one room stand in its own ``params.py``."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, RAW, SIZE, STRING, TIME, TIME_DAYS, TIME_HOURS, choice
from postroad.base.params import Facts, Group

params = Group("model")


def _myhostname(facts: Facts) -> str:
    return facts.hostname if "." in facts.hostname else f"{facts.hostname}.localdomain"


def _mydomain(facts: Facts) -> str:
    name = facts.main.get("myhostname", "")
    # myhostname = mail.$mydomain says nothing about the domain: then the machine's own name does.
    return (_myhostname(facts) if not name or "$" in name else name.strip()).partition(".")[2]


# --- who we are
MYHOSTNAME = params.declare("myhostname", STRING, _myhostname, "The internet hostname of this mail system.")
MYDOMAIN = params.declare(
    "mydomain",
    STRING,
    _mydomain,
    "The internet domain of this mail system: $myhostname minus its first component.",
)
MYORIGIN = params.declare(
    "myorigin", STRING, "$myhostname", "The domain that locally posted mail appears to come from."
)
MAIL_NAME = params.declare(
    "mail_name",
    STRING,
    "Postfix",
    "The name of the mail system in banners, Received fields and bounces; Postfix's, which filters know.",
)
MAIL_VERSION = params.declare(
    "mail_version",
    STRING,
    "3.9.0",
    "The version that $mail_version in a banner stands for: that of the Postfix whose behaviour is followed.",
)
COMPATIBILITY_LEVEL = params.declare(
    "compatibility_level",
    STRING,
    "0",
    "Postfix's level of backwards-compatible defaults; 3.6 and higher use today's.",
)
MAIL_OWNER = params.declare(
    "mail_owner", STRING, "postfix", "The user that owns the queue and runs the workers.", live=False
)
CONFIG_DIRECTORY = params.declare(
    "config_directory",
    STRING,
    lambda facts: facts.config_directory,
    "The directory of main.cf and master.cf.",
)
QUEUE_DIRECTORY = params.declare(
    "queue_directory", STRING, "/var/spool/postroad", "The directory of the queue.", live=False
)
DATA_DIRECTORY = params.declare(
    "data_directory",
    STRING,
    "/var/lib/postroad",
    "The directory of caches and of keys that Postroad made.",
    live=False,
)
SYSLOG_NAME = params.declare(
    "syslog_name",
    STRING,
    "${multi_instance_name?{$multi_instance_name}:{postfix}}",
    "The name in front of the program in each log line.",
)
SYSLOG_FACILITY = params.declare("syslog_facility", STRING, "mail", "The syslog facility.", live=False)
MAILLOG_FILE = params.declare(
    "maillog_file", STRING, "", "A file (or /dev/stdout) to log to instead of syslog.", live=False
)
MULTI_INSTANCE_NAME = params.declare(
    "multi_instance_name", STRING, "", "The name of this instance, if there are several."
)

# --- addresses and classes
MYDESTINATION = params.declare(
    "mydestination",
    LIST,
    "$myhostname, localhost.$mydomain, localhost",
    "The domains whose mail is delivered by $local_transport.",
)
MYNETWORKS = params.declare(
    "mynetworks",
    LIST,
    "${mynetworks_default}",
    "The clients that may relay: networks, type:table or /file, !negated.",
)
MYNETWORKS_STYLE = params.declare(
    "mynetworks_style",
    choice("host", "subnet", "class"),
    "${{$compatibility_level} <level {2} ? {subnet} : {host}}",
    "How the default of mynetworks is made.",
)
INET_INTERFACES = params.declare(
    "inet_interfaces",
    LIST,
    "all",
    "The addresses that this system receives mail on: all, loopback-only, or hosts and addresses.",
)
PROXY_INTERFACES = params.declare(
    "proxy_interfaces", LIST, "", "Further addresses of this system, on a proxy or NAT in front of it."
)
INET_PROTOCOLS = params.declare(
    "inet_protocols", LIST, "all", "The internet protocols in use: all, ipv4, ipv6, or both."
)
RECIPIENT_DELIMITER = params.declare(
    "recipient_delimiter", STRING, "", "The characters that may separate a user name from its extension."
)
OWNER_REQUEST_SPECIAL = params.declare(
    "owner_request_special",
    BOOL,
    "yes",
    "Let owner-NAME be the sender of mail to the alias NAME, and never split owner-NAME or NAME-request.",
)
RELAY_DOMAINS = params.declare(
    "relay_domains",
    LIST,
    "${{$compatibility_level} <level {2} ? {$mydestination} : {}}",
    "The domains that mail is relayed to from anywhere.",
)
VIRTUAL_ALIAS_DOMAINS = params.declare(
    "virtual_alias_domains", LIST, "$virtual_alias_maps", "The domains whose addresses are all aliases."
)
VIRTUAL_ALIAS_MAPS = params.declare(
    "virtual_alias_maps", LIST, "$virtual_maps", "Tables that replace recipients by others."
)
VIRTUAL_MAPS = params.declare("virtual_maps", LIST, "", "The old name of virtual_alias_maps.")
VIRTUAL_MAILBOX_DOMAINS = params.declare(
    "virtual_mailbox_domains",
    LIST,
    "$virtual_mailbox_maps",
    "The domains that $virtual_transport delivers to mailboxes.",
)
VIRTUAL_MAILBOX_MAPS = params.declare(
    "virtual_mailbox_maps",
    LIST,
    "",
    "Tables of virtual mailboxes: address to path below virtual_mailbox_base.",
)
LOCAL_RECIPIENT_MAPS = params.declare(
    "local_recipient_maps",
    LIST,
    "proxy:unix:passwd.byname $alias_maps",
    "Tables of all local recipients; empty accepts every one.",
)
RELAY_RECIPIENT_MAPS = params.declare(
    "relay_recipient_maps", LIST, "", "Tables of all recipients in relay domains; empty accepts every one."
)
ALIAS_MAPS = params.declare("alias_maps", LIST, "hash:/etc/aliases", "The alias tables of local delivery.")
ALIAS_DATABASE = params.declare(
    "alias_database", LIST, "hash:/etc/aliases", "The alias tables that newaliases reads."
)
LOCAL_TRANSPORT = params.declare(
    "local_transport", STRING, "local:$myhostname", "transport:nexthop for $mydestination."
)
VIRTUAL_TRANSPORT = params.declare(
    "virtual_transport", STRING, "virtual", "transport:nexthop for $virtual_mailbox_domains."
)
RELAY_TRANSPORT = params.declare("relay_transport", STRING, "relay", "transport:nexthop for $relay_domains.")
DEFAULT_TRANSPORT = params.declare(
    "default_transport", STRING, "smtp", "transport:nexthop for all other domains."
)
ALLOW_MIN_USER = params.declare("allow_min_user", BOOL, "no", "Allow an address that begins with '-'.")
RESOLVE_NUMERIC_DOMAIN = params.declare(
    "resolve_numeric_domain", BOOL, "no", "Take user@ipaddress as user@[ipaddress], instead of refusing it."
)
ALLOW_PERCENT_HACK = params.declare("allow_percent_hack", BOOL, "yes", "Rewrite user%domain to user@domain.")
SWAP_BANGPATH = params.declare("swap_bangpath", BOOL, "yes", "Rewrite site!user to user@site.")
APPEND_AT_MYORIGIN = params.declare(
    "append_at_myorigin", BOOL, "yes", "Append @$myorigin to an address without a domain."
)
APPEND_DOT_MYDOMAIN = params.declare(
    "append_dot_mydomain",
    BOOL,
    "${{$compatibility_level} <level {1} ? {yes} : {no}}",
    "Append .$mydomain to a domain without a dot.",
)
REMOTE_HEADER_REWRITE_DOMAIN = params.declare(
    "remote_header_rewrite_domain",
    STRING,
    "",
    "The domain that incomplete addresses in headers of remote mail get; empty leaves them alone.",
)
RELAY_CLIENTCERTS = params.declare(
    "relay_clientcerts",
    LIST,
    "",
    "Tables of the fingerprints (of certificates or their public keys) that permit_tls_clientcerts permits.",
)
LOCAL_HEADER_REWRITE_CLIENTS = params.declare(
    "local_header_rewrite_clients",
    LIST,
    "permit_inet_interfaces",
    "The clients whose headers are completed as those of local mail are.",
)
RESOLVE_DEQUOTED_ADDRESS = params.declare(
    "resolve_dequoted_address", BOOL, "yes", "Look inside quotes when an address is resolved."
)
RESOLVE_NULL_DOMAIN = params.declare("resolve_null_domain", BOOL, "no", "Treat user@ as a local address.")
EMPTY_ADDRESS_RECIPIENT = params.declare(
    "empty_address_recipient", STRING, "MAILER-DAEMON", "Who gets mail for the null address."
)
DOUBLE_BOUNCE_SENDER = params.declare(
    "double_bounce_sender",
    STRING,
    "double-bounce",
    "The sender of notices to the postmaster; mail to it is discarded.",
)
PARENT_DOMAIN_MATCHES_SUBDOMAINS = params.declare(
    "parent_domain_matches_subdomains",
    LIST,
    "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps",
    "The lists in which example.com also matches its subdomains.",
)
DEFAULT_DATABASE_TYPE = params.declare(
    "default_database_type", STRING, "hash", "The table type that $default_database_type stands for."
)
SMTPUTF8_ENABLE = params.declare(
    "smtputf8_enable",
    BOOL,
    "${{$compatibility_level} <level {1} ? {no} : {yes}}",
    "Support internationalised mail (RFC 6531).",
)
STRICT_SMTPUTF8 = params.declare(
    "strict_smtputf8", BOOL, "no", "Demand SMTPUTF8 for every UTF-8 address or header."
)
SMTPUTF8_AUTODETECT_CLASSES = params.declare(
    "smtputf8_autodetect_classes", LIST, "sendmail, verify", "The sources whose mail is looked at for UTF-8."
)

# --- sizes
MESSAGE_SIZE_LIMIT = params.declare(
    "message_size_limit",
    INT,
    "10240000",
    "The largest message in bytes, headers included; 0 for no limit.",
    low=0,
)
MAILBOX_SIZE_LIMIT = params.declare(
    "mailbox_size_limit",
    INT,
    "51200000",
    "The largest local mailbox file in bytes, or Maildir message; 0 for no limit.",
    low=0,
)
HEADER_SIZE_LIMIT = params.declare(
    "header_size_limit", INT, "102400", "The largest header in bytes; the excess is discarded.", low=1
)
LINE_LENGTH_LIMIT = params.declare(
    "line_length_limit", INT, "2048", "The longest line that is looked at as one piece.", low=1
)
QUEUE_INLINE_LIMIT = params.declare(
    "queue_inline_limit", SIZE, "256k", "Larger messages are files while they are queued.", own=True
)

# --- time and retries
MAXIMAL_QUEUE_LIFETIME = params.declare(
    "maximal_queue_lifetime", TIME_DAYS, "5d", "How long a message is tried before it is returned.", low=0
)
BOUNCE_QUEUE_LIFETIME = params.declare(
    "bounce_queue_lifetime", TIME_DAYS, "5d", "How long a bounce is tried before it is given up.", low=0
)
DELAY_WARNING_TIME = params.declare(
    "delay_warning_time",
    TIME_HOURS,
    "0h",
    "When the sender is told that a message is late; 0 for never.",
    low=0,
)
MINIMAL_BACKOFF_TIME = params.declare(
    "minimal_backoff_time", TIME, "300s", "The shortest time between two attempts.", low=1
)
MAXIMAL_BACKOFF_TIME = params.declare(
    "maximal_backoff_time", TIME, "4000s", "The longest time between two attempts.", low=1
)
QUEUE_RUN_DELAY = params.declare(
    "queue_run_delay", TIME, "300s", "How often the deferred queue is looked through.", low=1
)
SOFT_BOUNCE = params.declare(
    "soft_bounce", BOOL, "no", "Defer what would bounce, and refuse with 4xx what would be refused for good."
)
NOTIFY_CLASSES = params.declare(
    "notify_classes",
    LIST,
    "resource, software",
    "What the postmaster is told of: bounce, 2bounce, data, delay, policy, protocol, resource, software.",
)
ENABLE_ORIGINAL_RECIPIENT = params.declare(
    "enable_original_recipient", BOOL, "yes", "Keep the recipient's address from before aliases."
)
DELAY_LOGGING_RESOLUTION_LIMIT = params.declare(
    "delay_logging_resolution_limit", INT, "2", "Digits behind the point in delays=.", low=0, high=6
)
DEFAULT_PROCESS_LIMIT = params.declare(
    "default_process_limit",
    INT,
    "100",
    "The limit, for each service, of what in Postfix are its processes: sessions or deliveries at one time.",
    low=1,
)
HOPCOUNT_LIMIT = params.declare(
    "hopcount_limit", INT, "50", "The most Received fields a message may have.", low=1
)
PROPAGATE_UNMATCHED_EXTENSIONS = params.declare(
    "propagate_unmatched_extensions",
    LIST,
    "canonical, virtual",
    "The maps whose result gets the address extension back.",
)
CANONICAL_MAPS = params.declare(
    "canonical_maps", LIST, "", "Tables that replace addresses in envelopes and headers."
)
SENDER_CANONICAL_MAPS = params.declare(
    "sender_canonical_maps", LIST, "", "Tables that replace sender addresses, asked before canonical_maps."
)
RECIPIENT_CANONICAL_MAPS = params.declare(
    "recipient_canonical_maps",
    LIST,
    "",
    "Tables that replace recipient addresses, asked before canonical_maps.",
)
RECEIVE_OVERRIDE_OPTIONS = params.declare(
    "receive_override_options",
    LIST,
    "",
    "What is not done with mail that a service receives: no_unknown_recipient_checks, no_address_mappings, "
    "no_header_body_checks, no_milters.",
)
CONTENT_FILTER = params.declare(
    "content_filter",
    STRING,
    "",
    "transport:nexthop that mail goes to, before it comes back by a service whose own is empty.",
)
PROXY_FILTER = params.declare(
    "smtpd_proxy_filter",
    STRING,
    "",
    "An SMTP server that gets a service's mail, and not the queue: host:port, inet:host:port, unix:path.",
)
EXPANSION_FILTER = params.declare(
    "smtpd_expansion_filter",
    RAW,
    "\\t\\40!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`"
    "abcdefghijklmnopqrstuvwxyz{|}~",
    "The characters that a client's words may bring into replies of default_rbl_reply and footers; others"
    " become _.",
)
