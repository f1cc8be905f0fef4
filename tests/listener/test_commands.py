"""What the operator says of commands."""

from __future__ import annotations

import pytest

from listener.screens import World
from postroad.base.errors import TableUnavailable


async def test_forbidden_words_in_a_table_that_fails_are_passed_over(tmp_path):
    world = World(tmp_path, forbidden_commands="GET fail:down")
    assert world.service.options.is_forbidden("get")
    assert not world.service.options.is_forbidden("PUT")


async def test_a_table_may_replace_commands(tmp_path):
    commands = World(tmp_path, command_filter="inline:{{helo x = EHLO x}}").service.commands
    assert commands.filtered
    assert commands.rewritten(" \tHELO x") == "EHLO x"
    assert commands.rewritten("QUIT") is None
    assert not World(tmp_path).service.commands.filtered


async def test_a_filter_that_cannot_be_read_is_no_answer(tmp_path):
    commands = World(tmp_path, command_filter="regexp:/no/such/file").service.commands
    with pytest.raises(TableUnavailable):
        commands.rewritten("QUIT")


async def test_a_filter_that_has_to_be_waited_for_cannot_be_used(tmp_path):
    with pytest.raises(ValueError, match="postscreen_command_filter: only a table that answers from memory"):
        World(tmp_path, command_filter="unionmap:{static:x}")
