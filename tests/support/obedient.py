"""Run a module as a user whom permissions stop, even if that is root.

python -m tests.support.obedient MODULE [ARGUMENT ...]
"""

import ctypes
import os
import sys
from typing import Final

_PR_CAPBSET_DROP: Final = 24
_CAP_DAC_OVERRIDE: Final = 1

if __name__ == "__main__":
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(
        _PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0
    ):
        sys.exit("cannot drop CAP_DAC_OVERRIDE")
    os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
