import pytest

from postroad.base.errors import TableUnavailable
from postroad.tables.fail import Fail


async def test_every_look_up_fails_and_none_says_not_found():
    with pytest.raises(TableUnavailable, match="fail:name"):
        await Fail("fail:name").lookup("key")
