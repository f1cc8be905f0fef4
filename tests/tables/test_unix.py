import grp
import os
import pwd

import pytest

from postroad.tables.contract import check_table
from postroad.tables.unix import Unix

ME = pwd.getpwuid(os.getuid())


async def test_users_keep_the_contract_of_tables():
    table = Unix("unix:passwd.byname", "passwd.byname")
    await check_table(table, ME.pw_name, ":".join(map(str, ME)), "no-such-user-here")


def test_users_and_groups_are_lines_of_passwd_and_group():
    line = Unix("unix:passwd.byname", "passwd.byname").get(ME.pw_name)
    assert line.split(":")[2] == str(os.getuid())
    group = grp.getgrgid(0)
    line = Unix("unix:group.byname", "group.byname").get(group.gr_name)
    assert line == f"{group.gr_name}:{group.gr_passwd}:0:{','.join(group.gr_mem)}"


@pytest.mark.parametrize("key", ["", "a\0b", "a:b", "a\nb", "\udcff"])
def test_what_cannot_be_a_name_is_not_there(key):
    assert Unix("unix:passwd.byname", "passwd.byname").get(key) is None


def test_other_maps_are_unknown():
    with pytest.raises(ValueError, match="unknown table: unix:hosts"):
        Unix("unix:hosts", "hosts")
