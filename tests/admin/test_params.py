import pytest

from postroad.admin import params as p
from postroad.base.known import default_of
from postroad.base.params import settings_of


def test_the_defaults_are_postfixs():
    for param in p.params.params:
        assert param.default == default_of(param.name), param.name


def test_directories_are_a_list():
    settings = settings_of([p.params], alternate_config_directories="/etc/a, /etc/b")
    assert settings[p.ALTERNATE_DIRECTORIES] == ("/etc/a", "/etc/b")
    assert settings[p.INSTANCE_DIRECTORIES] == ()


def test_line_ends_are_mended_in_one_of_three_ways():
    assert [p.FIX_LINE_ENDINGS.read(each) for each in ("always", "strict", "never")]
    with pytest.raises(ValueError, match="expected one of"):
        p.FIX_LINE_ENDINGS.read("yes")
