"""In a process that has this folder on its path, `time.time` is off by what a file says, in seconds."""

import os
import time

_now, _file = time.time, os.environ["SOAK_CLOCK"]


def _jumping() -> float:
    try:
        with open(_file) as file:  # noqa: PTH123 - costs a tenth, and this is asked often
            return _now() + float(file.read() or 0)
    except OSError:
        return _now()


time.time = _jumping
