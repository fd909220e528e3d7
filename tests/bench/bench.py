#!/usr/bin/python3
"""bench.py - measures the promised figures, in the world, and prints them
SPDX-License-Identifier: ISC

usage: bench.py [--rounds N] [--mails N] [--foreign] [WORD]   (tests/bench/run)
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import counters                                                 # noqa: E402
import dead                                                     # noqa: E402
import delivery                                                 # noqa: E402
import instructions                                             # noqa: E402
import load                                                     # noqa: E402
import memory                                                   # noqa: E402
import policyd                                                  # noqa: E402
import senders                                                  # noqa: E402
import session                                                  # noqa: E402
import throughput                                               # noqa: E402

# Leaves the world as no other group wants it.
ALONE = {"instructions"}
COLUMNS = "{:<42}{:>9}  {:<34}{}"


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mails", type=int, default=1000,
                        help="in each round (default: 1000)")
    parser.add_argument("--foreign", action="store_true",
                        help="foreign software is installed to compare with")
    parser.add_argument("word", nargs="?", default="",
                        help="only figures of which the group has this word")
    args = parser.parse_args()
    groups = {
        "throughput": lambda: throughput.figures(args.rounds, args.mails),
        "delivery": lambda: delivery.figures(args.rounds, args.mails),
        "instructions": instructions.figures,
        "session": lambda: session.figures(args.rounds),
        "senders": lambda: senders.figures(args.rounds, args.mails // 2,
                                           bool(args.word)),
        "policyd": lambda: policyd.figures(args.rounds, args.mails * 2),
        "memory": memory.figures,
        "counters": counters.figures,
        "names": lambda: memory.names_figures(
            2000000 if args.word else 200000),
        "dead": dead.figures,
        "tables": load.table_figures,
        "policy": load.policy_figures,
    }
    print(COLUMNS.format("figure", "measured", "unit, range", "target"))
    for name, group in groups.items():
        if args.word not in name or (name in ALONE and args.word != name):
            continue
        for what, value, unit, target in group():
            print(COLUMNS.format(what, value, unit, target), flush=True)


main()
