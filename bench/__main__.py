"""Every benchmark in turn, each in a process of its own, then the table: ``python -m bench [--only NAME ...]``.

A quiet machine is asked for: the load before each run is written beside its result. ``--table`` only writes
``bench/RESULTS.md`` anew from the results that lie in ``bench/results``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from bench.results_table import write_table

BENCHMARKS = ("embedding", "search", "operator_search", "audit")


def main() -> int:
    """Run the benchmarks; returns the first exit status that is not 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=BENCHMARKS)
    parser.add_argument("--table", action="store_true", help="run nothing, write the table anew")
    options = parser.parse_args()
    for name in () if options.table else options.only:
        print(f"== {name}", flush=True)
        status = subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode
        if status != 0:
            return status
    print(write_table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
