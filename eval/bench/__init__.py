"""Speed in depth: `isnad bench` measures models beside the transformers pipeline and other libraries in one run.

The timer is `eval.benchmark.speed`: a fresh process for each contestant, interleaved rounds, one working at a time.
"""
