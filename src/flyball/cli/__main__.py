"""`python -m flyball.cli`: the same as `flyball`, where its script is not on the path."""

from flyball.cli import main

main()
