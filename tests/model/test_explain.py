import json

import pytest

from postroad.model.explain import Destination, Explanation, Outcome, Said, Step, Target, plain


def explanation(*codes, error=""):
    said = tuple(Said("RCPT", code, f"{code} x") for code in codes)
    return Explanation(
        "smtp", "192.0.2.1", None, said, (Destination("u@a.test", (Target("u@a.test"),), (), error),)
    )


@pytest.mark.parametrize(
    ("codes", "status"),
    [((220, 250, 354), 0), ((250, 450), 75), ((450, 550), 1), ((250, 550), 1), ((220, 0), 1)],
)
def test_the_status_is_that_of_the_worst_reply(codes, status):
    assert explanation(*codes).status == status


def test_what_cannot_be_looked_up_for_the_way_is_not_an_acceptance():
    assert explanation(250, error="a table fails").status == 75


def test_the_values_are_made_plain_for_json():
    step = Step("list", 1, "reject", Outcome.REFUSES, inside=(Step("in", 2, "permit", Outcome.PERMITS),))
    made = json.loads(json.dumps(plain(step)))
    assert made["outcome"] == "refuses"
    assert made["inside"][0]["outcome"] == "permits"
