from postroad.model.client import Client
from postroad.model.session import Session


def test_each_session_has_a_transaction_of_its_own():
    one, two = Session(Client("1")), Session(Client("2"))
    one.transaction.actions["HOLD"] = "x"
    assert two.transaction.actions == {}
    assert one.transaction.sender is None
