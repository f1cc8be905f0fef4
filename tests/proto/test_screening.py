"""Which tests a client has to pass, what becomes of them, and what is kept."""

from __future__ import annotations

from postroad.proto.screening import NEW, UNUSED, Progress, Terms, Test

NOW, DAY = 1_700_000_000, 86400
ALL = Test.EARLY | Test.LATE
LIVES = (DAY, 3600, 30 * DAY, 30 * DAY, 30 * DAY)
EVERY, FEW = Terms(ALL, LIVES), Terms(Test.EARLY, LIVES)
LONG = NOW + 20 * DAY


def test_a_new_client_has_every_test_to_pass_that_is_in_use():
    assert Progress(EVERY, None, NOW).todo == ALL
    progress = Progress(FEW, None, NOW)
    assert (progress.todo, progress.fresh, progress.complete) == (Test.EARLY, True, False)


def test_who_has_passed_all_is_kept_and_tested_no_more():
    progress = Progress(FEW, None, NOW)
    progress.succeed(Test.PREGREET, NOW + DAY)
    assert not progress.complete
    progress.succeed(Test.DNSBL, NOW + 60)
    assert progress.complete
    record = progress.record(FEW)
    assert record == (NOW + DAY, NOW + 60, UNUSED, UNUSED, UNUSED)
    again = Progress(FEW, record, NOW + 30)
    assert (again.todo, again.fresh) == (Test.NONE, False)


def test_what_has_run_out_is_tested_again_but_the_client_is_not_new():
    progress = Progress(FEW, (NOW + DAY, NOW + 60, UNUSED, UNUSED, UNUSED), NOW + 61)
    assert (progress.todo, progress.fresh) == (Test.DNSBL, False)


def test_who_must_come_again_for_one_late_test_does_all_of_them():
    known = (LONG, LONG, NOW - 1, LONG, LONG)
    assert Progress(EVERY, known, NOW).todo == Test.LATE


def test_who_has_passed_a_part_is_still_new():
    progress = Progress(EVERY, None, NOW)
    progress.succeed(Test.PREGREET, LONG)
    record = progress.record(EVERY)
    assert record == (LONG, NEW, NEW, NEW, NEW)
    assert Progress(EVERY, record, NOW).fresh


def test_nothing_is_kept_of_who_fails():
    progress = Progress(FEW, None, NOW)
    progress.succeed(Test.DNSBL, LONG)
    progress.fail(Test.PREGREET)
    assert progress.record(FEW) is None
    assert not progress.complete


def test_a_failure_that_is_ignored_is_tested_again_next_time():
    progress = Progress(FEW, None, NOW)
    progress.succeed(Test.DNSBL, LONG)
    progress.fail(Test.PREGREET)
    progress.forgive(Test.PREGREET)
    assert not progress.complete
    assert progress.record(FEW) == (NEW, LONG, UNUSED, UNUSED, UNUSED)


def test_a_late_failure_that_is_ignored_counts_as_passed_for_a_while():
    progress = Progress(EVERY, (LONG, LONG, NEW, LONG, LONG), NOW)
    progress.fail(Test.PIPELINING)
    progress.forgive(Test.PIPELINING, NOW + EVERY.shortest)
    assert EVERY.shortest == 3600
    assert progress.record(EVERY) == (LONG, LONG, NOW + 3600, LONG, LONG)


def test_a_later_failure_undoes_a_pass():
    progress = Progress(EVERY, None, NOW)
    progress.succeed(Test.PIPELINING, LONG)
    progress.fail(Test.PIPELINING)
    assert not progress.passed & Test.PIPELINING


def test_who_the_lists_speak_for_is_let_off_the_rest():
    progress = Progress(EVERY, (NEW, NEW, LONG, NEW, NEW), NOW)
    progress.excuse(NOW + 60)
    progress.succeed(Test.DNSBL, NOW + 60)
    assert progress.complete
    assert progress.pending == Test.NONE
    assert progress.record(EVERY) == (NOW + 60, NOW + 60, LONG, NOW + 60, NOW + 60)


def test_access_that_is_denied_lets_nothing_be_passed():
    progress = Progress(FEW, None, NOW)
    progress.failed |= Test.ACCESS
    progress.succeed(Test.PREGREET, LONG)
    progress.succeed(Test.DNSBL, LONG)
    assert (progress.complete, progress.record(FEW)) == (False, None)
