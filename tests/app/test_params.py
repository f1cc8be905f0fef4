import pytest

from postroad.app import params as p
from postroad.app.registry import registry
from postroad.base.known import default_of
from postroad.base.params import settings_of

PROBES = [param for param in p.params.params if param.name.startswith("address_verify_")]


def test_probes_go_where_mail_goes():
    texts = {param.name.removeprefix("address_verify_"): "x:y" for param in PROBES}
    settings = settings_of(registry().groups, **texts)
    assert len(PROBES) == 8
    for param in PROBES:
        assert param.default == default_of(param.name)
        assert settings[param] in ("x:y", ("x:y",)), param.name


def test_what_is_our_own_is_not_postfixs():
    for param in p.params.params:
        assert param.own is (default_of(param.name) is None), param.name


@pytest.mark.parametrize(
    ("param", "text"), [(p.WORKER_PROCESSES, "-1"), (p.WORKER_PROCESSES, "65"), (p.SHUTDOWN_TIME, "0s")]
)
def test_a_value_out_of_bounds_is_refused(param, text):
    with pytest.raises(ValueError):
        param.read(text)


def test_a_reload_changes_neither_the_workers_nor_the_control_socket():
    assert {param.name for param in p.params.params if not param.live} == {
        "control_socket",
        "worker_processes",
    }
