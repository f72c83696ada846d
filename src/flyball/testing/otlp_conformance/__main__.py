"""`python -m flyball.testing.otlp_conformance URL`: the clauses held against an endpoint, one line each. Exit code 1: a must is not met."""

import argparse
import sys

from .clause import Outcome
from .suite import run
from .target import Target


def main(arguments: list[str]) -> int:
    """Ask, print, and say by the exit code whether every must is met."""
    parser = argparse.ArgumentParser(prog="python -m flyball.testing.otlp_conformance", description=__doc__)
    parser.add_argument("url", nargs="?", default="", help="where OTLP over HTTP is taken, without /v1/traces")
    parser.add_argument("--key", default="", help="sent as Authorization: Bearer KEY")
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE", help="sent with each request")
    parser.add_argument("--grpc", default="", metavar="HOST:PORT", help="where OTLP over gRPC is taken, without TLS")
    parser.add_argument("--bomb-mb", type=int, default=128, help="what a body unpacks to that no server should read")
    options = parser.parse_args(arguments)
    headers = dict(tuple(header.split(":", 1)) for header in options.header)
    if options.key:
        headers["authorization"] = f"Bearer {options.key}"
    target = Target(options.url, headers, options.grpc, options.bomb_mb * 1024 * 1024)
    outcomes = []
    for outcome in run(target):
        outcomes.append(outcome)
        print(line(outcome), flush=True)  # noqa: T201 -- this is what it is for
    broken = [each for each in outcomes if each.state == "not met" and each.clause.level == "must"]
    met = sum(each.state == "met" for each in outcomes)
    print(f"{met} met, {sum(each.state == 'not asked' for each in outcomes)} not asked, {len(broken)} musts not met")  # noqa: T201 -- likewise
    return 1 if broken else 0


def line(outcome: Outcome) -> str:
    """An outcome as a person reads it."""
    clause = outcome.clause
    over = "gRPC" if clause.transport == "grpc" else f"HTTP {outcome.encoding}"
    why = f": {outcome.why}" if outcome.why else ""
    return f"{outcome.state:9} {clause.level:6} {over:13} {outcome.signal:7} {clause.section}: {clause.says}{why}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
