#!/bin/sh
# A server of our own on loopback, for trying: mail for anybody@example.test lands in a Maildir below
# run/mail.  Root gets port 25 if it is free, anybody else 2525.  It offers STARTTLS with a certificate
# that it makes for itself, and AUTH for a user of its own.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/run
py=.venv/bin/python
mkdir -p "$root/etc"

free() { "$py" -c 'import socket,sys; s=socket.socket(); s.setsockopt(1,2,1); s.bind(("127.0.0.1",int(sys.argv[1])))' "$1" 2>/dev/null; }
port=
for candidate in 25 2525 2526 2527 2528; do
    if free "$candidate"; then port=$candidate; break; fi
done
if [ -z "$port" ]; then
    echo "serve: neither port 25 nor 2525 to 2528 is free on 127.0.0.1" >&2
    exit 1
fi
owner=$(id -un)
uid=$(id -u)
gid=$(id -g)
if [ "$uid" = 0 ]; then
    owner=nobody
    uid=$(id -u nobody)
    gid=$(id -g nobody)
    # mail_owner must be able to come this far
    chmod 755 "$root"
fi
mkdir -p "$root/queue" "$root/data" "$root/mail"
[ "$(id -u)" != 0 ] || chown "$uid:$gid" "$root/queue" "$root/data" "$root/mail"

cat >"$root/etc/main.cf" <<CF
myhostname = mail.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mail_owner = $owner
queue_directory = $root/queue
data_directory = $root/data
maillog_file = $root/maillog
alias_maps =
virtual_mailbox_domains = example.test
virtual_mailbox_maps = static:all/
virtual_mailbox_base = $root/mail
virtual_minimum_uid = 1
virtual_uid_maps = static:$uid
virtual_gid_maps = static:$gid
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = postroad
smtpd_sasl_path = $root/etc/users
CF
cat >"$root/etc/master.cf" <<CF
127.0.0.1:$port inet n - n - - smtpd
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
lmtp      unix - - n - - lmtp
virtual   unix - n n - - virtual
local     unix - n n - - local
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
CF
if [ ! -s "$root/password" ]; then
    (umask 077 && "$py" -c 'import secrets; print(secrets.token_urlsafe(9))' >"$root/password")
    rm -f "$root/etc/users"
    "$py" -m postroad user add me@example.test -c "$root/etc" --password-stdin <"$root/password"
fi
touch "$root/maillog"
[ "$(id -u)" != 0 ] || chown "$uid:$gid" "$root/maillog"

cat <<TXT

Postroad serves on 127.0.0.1 port $port.  Its files are in $root.
  send:    .venv/bin/postroad send -c $root/etc --server 127.0.0.1:$port --from you@example.org --to me@example.test --subject Hello --body 'Good morning'
  or:      swaks --server 127.0.0.1:$port --from you@example.org --to me@example.test
  log in:  swaks --server 127.0.0.1:$port --tls --auth-user me@example.test --auth-password $(cat "$root/password") --from me@example.test --to me@example.test
  read:    ls $root/mail/all/new
  watch:   tail -f $root/maillog
  queue:   .venv/bin/postroad mailq -c $root/etc
Press ^C to stop it.
TXT
exec "$py" -m postroad start --foreground -c "$root/etc"
