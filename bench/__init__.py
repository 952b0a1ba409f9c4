"""How fast the product is, measured from outside: `make bench` prints a table and writes `bench/report.json`."""
