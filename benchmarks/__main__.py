"""Run the benchmark of a name, or all of them one after the other."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main(argv: list[str]) -> int:
    """0 when all went well, 2 when there is no benchmark of that name."""
    names = sorted(
        module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.name[0] != "_"
    )
    if argv and argv[0] not in names:
        print(f"no benchmark is called {argv[0]!r}; there are {', '.join(names)}", file=sys.stderr)
        return 2
    results = []
    for name in argv[:1] or names:
        print(f"--- {name}", flush=True)
        results.append(int(importlib.import_module(f"benchmarks.{name}").main(argv[1:])))
    return max(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
