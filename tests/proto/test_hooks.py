from __future__ import annotations

from postroad.proto.hooks import PENDING, Hooks, Notice, Pending

from .conftest import FakeHooks


def test_the_hooks_of_these_tests_are_all_there_are():
    wanted = {name for name in vars(Hooks) if not name.startswith("_")}
    assert wanted == {name for name in vars(FakeHooks) if not name.startswith("_")}


def test_pending_is_neither_acceptance_nor_refusal():
    assert PENDING is Pending.LATER
    assert PENDING is not None


def test_each_notice_is_its_own():
    assert len({notice.value for notice in Notice}) == len(Notice)
