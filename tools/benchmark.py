"""Check, then time the flow solver and whole networks: ``tools/benchmark.py [solver] [sizes] [scaling] [models]``."""

from repflow_mm.benchmarks.report import main

if __name__ == '__main__':
    main()
