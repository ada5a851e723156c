"""Models whose texts are markup that would break a page which does not escape them."""

from __future__ import annotations

from pathlib import Path

HOSTILE = (
    "<script>document.title='broken'</script></style></pre><img src=x onerror=\"document.title='broken'\">\u202eabc"
)
_MODELS = f"""
import random, time
from pathlib import Path

HOSTILE = {HOSTILE!r}
DONE = Path(__file__).with_name("go-on")


def base(request):
    if request.step == "instructions":
        numbers = random.Random(request.sampling.seed)
        words = " ".join(str(numbers.randrange(10**6)) for _ in range(14))
        return f" Say {{HOSTILE}} after {{words}}\\n9. {{HOSTILE}} needs four words"
    return "input: " + "x" * 100_000 + HOSTILE + "\\noutput: " + HOSTILE


def voter(request):
    return HOSTILE


def slow(request):
    slow.asked += 1
    while slow.asked > 16 and not DONE.exists():
        time.sleep(0.01)
    return HOSTILE


slow.asked = 0
"""
_CONFIG = """
instructions: {target: {input_output: 24, output_only: 0}, demonstrations: {input_output: 2}, window: 4}
models:
  base: {provider: scripted, function: "hostile_models:base"}
  "a|voter": {provider: scripted, function: "hostile_models:VOTER"}
roles: {instructions: base, instances: base, outputs: ["a|voter"]}
"""


def hostile_config(folder: Path, voter: str = "voter") -> Path:
    """A config in `folder` whose models write markup and lines of 100 kB.

    The voter `slow` answers 16 requests, and the others once there is a file `go-on` in the folder.
    """
    (folder / "hostile_models.py").write_text(_MODELS, encoding="utf-8")
    config = folder / f"{voter}.yaml"
    config.write_text(_CONFIG.replace("VOTER", voter), encoding="utf-8")
    return config
