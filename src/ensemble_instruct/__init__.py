"""Instruction-tuning data from a mixture of open language models, kept where they agree.

    import ensemble_instruct as ei

    config = ei.load_config(preset="demo")         # tiny models on toy tasks; or the path of your own YAML
    run = ei.run(config, "my-run")                 # starts the run, or resumes it; in a notebook too
    run.to_pandas()                                # each row with every candidate, its score, and who won
    run.export("train.jsonl", form="messages")

Texts that you have already need neither a run nor a config. The output that models agree on:

>>> import ensemble_instruct as ei
>>> outputs = {"ada": "Oslo", "bob": "Oslo", "eve": "Bergen"}
>>> (selected,) = ei.ensemble([outputs], tasks=["What is the capital of Norway?"])
>>> selected.output, selected.winners
('Oslo', ('ada', 'bob'))

The texts that are no near-duplicate of an earlier one, by their places:

>>> ei.dedup(["Name a fruit.", "name a fruit", "List three rivers of Europe."])
[0, 2]

Each name is loaded when it is first used, so that the import itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ensemble_instruct.agreement.ensemble import Selected, ensemble
    from ensemble_instruct.agreement.evaluation import Evaluation, evaluate
    from ensemble_instruct.config.load import load_config
    from ensemble_instruct.config.schema import Config
    from ensemble_instruct.errors import EnsembleInstructError
    from ensemble_instruct.novelty.dedup import dedup
    from ensemble_instruct.novelty.pool import NoveltyPool
    from ensemble_instruct.records import Candidate, Example, Rejected
    from ensemble_instruct.runs.estimate import estimate
    from ensemble_instruct.runs.handle import Run, merge, open_run, run, run_async
    from ensemble_instruct.runs.preview.handle import preview
    from ensemble_instruct.runs.preview.shown import Preview
    from ensemble_instruct.runs.status import Status
    from ensemble_instruct.version import __version__

__all__ = [
    "Candidate", "Config", "EnsembleInstructError", "Evaluation", "Example", "NoveltyPool", "Preview", "Rejected",
    "Run", "Selected", "Status", "__version__", "dedup", "ensemble", "estimate", "evaluate", "load_config", "merge",
    "open_run", "preview", "run", "run_async",
]  # fmt: skip

_HOMES = {
    "agreement.ensemble": ("Selected", "ensemble"),
    "agreement.evaluation": ("Evaluation", "evaluate"),
    "config.load": ("load_config",),
    "config.schema": ("Config",),
    "errors": ("EnsembleInstructError",),
    "novelty.dedup": ("dedup",),
    "novelty.pool": ("NoveltyPool",),
    "records": ("Candidate", "Example", "Rejected"),
    "runs.estimate": ("estimate",),
    "runs.handle": ("Run", "merge", "open_run", "run", "run_async"),
    "runs.preview.handle": ("preview",),
    "runs.preview.shown": ("Preview",),
    "runs.status": ("Status",),
    "version": ("__version__",),
}
"""The module that defines each name: the same as above, where type checkers and editors read it."""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value  # the next use does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
