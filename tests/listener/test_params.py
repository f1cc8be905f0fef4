from __future__ import annotations

from postroad.base import known
from postroad.listener.params import params


def test_every_parameter_has_a_sentence_for_the_operator():
    for param in params.params:
        assert param.doc.rstrip().endswith("."), param.name


def test_defaults_are_postfixs():
    for param in params.params:
        assert param.default == (known.default_of(param.name) or ""), param.name
