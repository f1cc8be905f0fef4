import subprocess
import sys
from pathlib import Path

import postroad
from postroad.app.registry import ROOMS, registry

SOURCE = Path(postroad.__file__).parent


def test_every_room_with_a_params_module_is_in_it():
    found = {".".join(path.relative_to(SOURCE).parent.parts) for path in SOURCE.rglob("params.py")}
    assert found - {"base"} == set(ROOMS)


def test_it_is_made_once():
    assert registry() is registry()
    assert "myhostname" in registry()


def test_knowing_every_parameter_loads_no_server():
    code = "import sys; from postroad.app.registry import registry; registry(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"asyncio", "apsw", "dns", "ssl"} & set(loaded)


def test_every_default_can_be_read():
    from postroad.base.config import load_texts
    from postroad.base.params import Facts

    assert load_texts("", None, "/etc/x", registry(), Facts()).problems == []
