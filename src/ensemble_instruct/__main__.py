"""`python -m ensemble_instruct` is the command line; nothing of the working folder is imported by itself."""

import os
import sys

if "--allow-code" not in sys.argv and os.environ.get("ENSEMBLE_INSTRUCT_ALLOW_CODE") != "1" and not sys.flags.safe_path:
    sys.path.pop(0)  # `-m` puts the folder there in which it is called: a module that lies in it would be run

from ensemble_instruct.cli import main

main(prog_name="ensemble-instruct")
