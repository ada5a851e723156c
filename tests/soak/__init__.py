"""A run with everything going wrong at random, for as long as one likes: `make test-soak MINUTES=30 SEED=1`.

    __main__    what goes wrong around the command, and what must hold in the end
    servers     replicas that refuse, hang, crawl, break off and talk nonsense, each for a while
    clock/      a clock that jumps: found by Python itself in the processes that are started so

Not part of the suite: how much is tried depends on how fast the machine is.
"""
