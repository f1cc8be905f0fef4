from __future__ import annotations

import dataclasses

import pytest

from postroad.proto.options import BareNewline, ServerOptions


def test_options_are_postfix_defaults_and_do_not_change():
    options = ServerOptions()
    assert (options.size_limit, options.line_limit, options.recipient_limit) == (10240000, 2048, 1000)
    assert (options.soft_errors, options.hard_errors, options.junk_limit) == (10, 20, 100)
    assert options.bare_newline is BareNewline.NORMALIZE
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.vrfy = False


def test_modes_are_called_what_main_cf_calls_them():
    assert [mode.value for mode in BareNewline] == ["no", "normalize", "note", "reject"]


def test_neither_tls_nor_auth_is_there_by_itself():
    options = ServerOptions()
    assert (options.starttls, options.tls_required, options.auth, options.auth_twice) == (False,) * 4
    assert options.response_limit == 12288
