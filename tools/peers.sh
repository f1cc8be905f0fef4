#!/bin/sh
# Installs the real programs that the tests talk to.  None of them is started as a service.
set -eu
missing=
need() { command -v "$1" >/dev/null 2>&1 || [ -x "$2" ] || missing="$missing $3"; }
PATH=$PATH:/usr/sbin:/sbin
need postconf /usr/sbin/postconf postfix
need smtp-source /usr/sbin/smtp-source postfix
need swaks /usr/bin/swaks swaks
need msmtp /usr/bin/msmtp msmtp
need curl /usr/bin/curl curl
need openssl /usr/bin/openssl openssl
need sslscan /usr/bin/sslscan sslscan
need pflogsumm /usr/sbin/pflogsumm pflogsumm
need doveadm /usr/bin/doveadm dovecot-core
need dovecot-lmtp /usr/lib/dovecot/lmtp dovecot-lmtpd
need nsd /usr/sbin/nsd nsd
need unbound /usr/sbin/unbound unbound
need opendkim /usr/sbin/opendkim opendkim
need rspamd /usr/bin/rspamd rspamd
need postgrey /usr/sbin/postgrey postgrey
need ip /usr/sbin/ip iproute2
need unshare /usr/bin/unshare util-linux
need valgrind /usr/bin/valgrind valgrind
perl_needs() { perl "-M$1" -e 1 2>/dev/null || missing="$missing $2"; }
perl_needs Net::SSLeay libnet-ssleay-perl # swaks --tls
perl_needs Digest::HMAC_MD5 libdigest-hmac-perl # swaks --auth CRAM-MD5
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "peers: the tests talk to programs that are not here:$missing" >&2
    exit 1
fi
run=
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        run="sudo -n env"
    else
        echo "peers: the tests talk to programs that are not here." >&2
        echo "peers: ask an administrator for: apt-get install$missing" >&2
        exit 1
    fi
fi
echo "peers: installing$missing"
# A package's own configuration must neither ask nor start anything.
made=
if [ "$(id -u)" = 0 ] && [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    made=1
fi
$run apt-get update -qq
# shellcheck disable=SC2086
if [ -z "$run" ]; then run=env; fi
$run DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
[ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
