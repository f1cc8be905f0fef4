from postroad.model.sasl import SaslState, SaslStep


def test_a_step_has_nothing_but_what_it_was_given():
    step = SaslStep(SaslState.MORE, b"challenge")
    assert (step.challenge, step.username, step.reason) == (b"challenge", "", "")
