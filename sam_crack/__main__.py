"""`python -m sam_crack` is `sam-crack`."""

from sam_crack.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
