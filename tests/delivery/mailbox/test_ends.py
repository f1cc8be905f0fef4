"""Agents that deliver nothing."""

from __future__ import annotations

import pytest

from postroad.delivery.mailbox.ends import DiscardAgent, ErrorAgent, RetryAgent, split_status


@pytest.mark.parametrize(
    ("agent", "nexthop", "status", "text"),
    [
        (
            ErrorAgent,
            "5.1.1 User unknown in virtual alias table",
            "5.1.1",
            "User unknown in virtual alias table",
        ),
        (ErrorAgent, "mail for x is not deliverable", "5.0.0", "mail for x is not deliverable"),
        (ErrorAgent, "4.7.1 later", "5.0.0", "later"),
        (ErrorAgent, "5.1.1", "5.1.1", "mail is not accepted"),
        (RetryAgent, "4.4.1 no route", "4.4.1", "no route"),
        (RetryAgent, "5.4.1 no route", "4.0.0", "no route"),
        (RetryAgent, "no route", "4.0.0", "no route"),
        (DiscardAgent, "silently", "2.0.0", "silently"),
        (DiscardAgent, "", "2.0.0", "discarded"),
    ],
)
async def test_the_next_hop_is_the_reason(job, run, agent, nexthop, status, text):
    outcomes = await run(agent(), job("a@x", "b@x", nexthop=nexthop))
    assert [(o.status, o.text, o.relay) for o in outcomes] == [(status, text, "none")] * 2
    await agent().close()


@pytest.mark.parametrize("text", ["5.1.1x no", "5.1 no", "6.1.1 no", "5.1.1.1 no", "55.1.1 no"])
def test_what_is_no_status_code_is_text(text):
    assert split_status(text, "5.0.0") == ("5.0.0", text)
