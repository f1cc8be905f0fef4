from postroad.model.client import Client


def test_a_client_is_named_as_the_log_names_it():
    assert Client("192.0.2.1").named_address == "unknown[192.0.2.1]"
    assert Client("192.0.2.1", name="mx.example").named_address == "mx.example[192.0.2.1]"
