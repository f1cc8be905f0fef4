import pytest

from filters.conftest import settings
from postroad.base.known import default_of
from postroad.filters import params


def test_the_defaults_are_postfixs():
    for param in params.params.params:
        assert " ".join(param.default.split()) == default_of(param.name), param.name


def test_a_time_of_nothing_is_refused():
    for name in ("milter_connect_timeout", "milter_command_timeout", "milter_content_timeout"):
        with pytest.raises(ValueError, match="less than the minimum 1s"):
            settings(**{name: "0"})
