"""The names of Postfix's restrictions: those that work here, and those that are known only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from postroad.policy import (
    access,
    backup,
    basics,
    certificates,
    client,
    delegated,
    destination,
    existence,
    greylist,
    listed,
    logins,
    python_hook,
    server_access,
    syntax,
    unverified,
)
from postroad.policy.access import Taker, taking_table
from postroad.policy.services import Services
from postroad.policy.verdict import Check

Maker = Callable[[Services], Check]


#: Restrictions without an argument, by name; the old names are Postfix's own synonyms.
MAKERS: Final[dict[str, Maker]] = {
    "permit": basics.permit,
    "reject": basics.reject,
    "defer": basics.defer,
    "defer_if_permit": basics.defer_if_permit,
    "defer_if_reject": basics.defer_if_reject,
    "reject_plaintext_session": basics.reject_plaintext_session,
    "reject_multi_recipient_bounce": basics.reject_multi_recipient_bounce,
    "reject_unauth_pipelining": basics.reject_unauth_pipelining,
    "permit_mynetworks": client.permit_mynetworks,
    "permit_inet_interfaces": client.permit_inet_interfaces,
    "permit_sasl_authenticated": client.permit_sasl_authenticated,
    "permit_tls_clientcerts": certificates.permit_tls_clientcerts,
    "permit_tls_all_clientcerts": certificates.permit_tls_all_clientcerts,
    "reject_sender_login_mismatch": logins.reject_sender_login_mismatch,
    "reject_authenticated_sender_login_mismatch": logins.reject_authenticated_sender_login_mismatch,
    "reject_unauthenticated_sender_login_mismatch": logins.reject_unauthenticated_sender_login_mismatch,
    "reject_known_sender_login_mismatch": logins.reject_known_sender_login_mismatch,
    "reject_unknown_client_hostname": client.reject_unknown_client_hostname,
    "reject_unknown_client": client.reject_unknown_client_hostname,
    "reject_maps_rbl": listed.reject_maps_rbl,
    "reject_unknown_reverse_client_hostname": client.reject_unknown_reverse_client_hostname,
    "reject_invalid_helo_hostname": syntax.reject_invalid_helo_hostname,
    "reject_invalid_hostname": syntax.reject_invalid_helo_hostname,
    "reject_non_fqdn_helo_hostname": syntax.reject_non_fqdn_helo_hostname,
    "reject_non_fqdn_hostname": syntax.reject_non_fqdn_helo_hostname,
    "permit_naked_ip_address": syntax.permit_naked_ip_address,
    "reject_non_fqdn_sender": syntax.reject_non_fqdn_sender,
    "reject_non_fqdn_recipient": syntax.reject_non_fqdn_recipient,
    "reject_unknown_helo_hostname": existence.reject_unknown_helo_hostname,
    "reject_unknown_hostname": existence.reject_unknown_helo_hostname,
    "reject_unknown_sender_domain": existence.reject_unknown_sender_domain,
    "reject_unknown_address": existence.reject_unknown_sender_domain,
    "reject_unknown_recipient_domain": existence.reject_unknown_recipient_domain,
    "permit_mx_backup": backup.permit_mx_backup,
    "permit_auth_destination": destination.permit_auth_destination,
    "reject_unauth_destination": destination.reject_unauth_destination,
    "defer_unauth_destination": destination.defer_unauth_destination,
    "check_relay_domains": destination.check_relay_domains,
    "greylist": greylist.greylist,
    "reject_unverified_recipient": unverified.reject_unverified_recipient,
    "reject_unverified_sender": unverified.reject_unverified_sender,
    "reject_unlisted_recipient": destination.reject_unlisted_recipient,
    "check_recipient_maps": destination.reject_unlisted_recipient,
    "reject_unlisted_sender": destination.reject_unlisted_sender,
}

WARN_IF_REJECT: Final = "warn_if_reject"

#: Any of these keeps a list from being an open relay.
GUARDS: Final = frozenset(
    {
        "reject_unauth_destination",
        "defer_unauth_destination",
        "reject",
        "defer",
        "defer_if_permit",
        "check_relay_domains",
    }
)

#: Restrictions whose argument is a table.
TABLE_TAKERS: Final[dict[str, Taker]] = {
    "check_client_access": taking_table(access.client),
    "check_reverse_client_hostname_access": taking_table(access.reverse_client),
    "check_helo_access": taking_table(access.helo),
    "check_sender_access": taking_table(access.sender),
    "check_recipient_access": taking_table(access.recipient),
    "check_etrn_access": taking_table(access.etrn),
    "check_sasl_access": taking_table(access.login),
    "check_ccert_access": certificates.check_ccert_access,
    **server_access.makers(),
}

#: Every restriction with one argument behind it.
TAKERS: Final[dict[str, Taker]] = {
    **TABLE_TAKERS,
    **listed.TAKERS,
    "check_policy_service": delegated.check_policy_service,
    "check_python": python_hook.check_python,
    "sleep": basics.sleep,
}

KNOWN: Final = frozenset(MAKERS) | frozenset(TAKERS) | {WARN_IF_REJECT}
