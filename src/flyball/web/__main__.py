"""`python -m flyball.web control|gateway|courier`: the one door of three processes. Loads what the named process needs, and no more."""

import sys


def main(arguments: list[str]) -> None:
    """Run the named process until it is told to stop."""
    match arguments:
        case ["control"]:
            from .control import main as run_control  # noqa: PLC0415 -- one door for three processes

            run_control()
        case ["gateway", *rest]:
            from .gateway import main as run_gateway  # noqa: PLC0415 -- likewise

            run_gateway(rest)
        case ["courier", *rest]:
            from .courier import main as run_courier  # noqa: PLC0415 -- likewise

            run_courier(rest)
        case _:
            sys.exit("usage: python -m flyball.web control|gateway|courier ...")


if __name__ == "__main__":
    main(sys.argv[1:])
