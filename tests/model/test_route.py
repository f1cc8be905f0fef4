from postroad.model.route import AddressClass, Route


def test_a_route_has_its_parts_by_name():
    route = Route("smtp", "[h]:25", "a@x", AddressClass.DEFAULT)
    assert (route.transport, route.nexthop, route.recipient) == ("smtp", "[h]:25", "a@x")
