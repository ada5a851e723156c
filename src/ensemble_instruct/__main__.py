"""`python -m ensemble_instruct` is the command line."""

from ensemble_instruct.cli import main

main(prog_name="ensemble-instruct")
