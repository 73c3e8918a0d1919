"""`python -m bench.load --seed N`: the load process. Its commands come from bench.load.process."""

from bench.load.worker import main

if __name__ == "__main__":
    main()
