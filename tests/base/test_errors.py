from postroad.base.errors import ConfigurationError, Problem, Severity


def test_a_problem_says_where_what_and_what_to_do():
    assert str(Problem("main.cf:3", "bad", "do this")) == "main.cf:3: bad (do this)"
    assert str(Problem("", "bad")) == "bad"
    assert Problem("", "bad").severity is Severity.ERROR


def test_a_configuration_error_has_every_problem():
    error = ConfigurationError([Problem("a:1", "x"), Problem("a:2", "y")])
    assert str(error) == "a:1: x\na:2: y"
