# tests/lint/files.sh - sourced by the other scripts: the files they look at, and how they report.
set -u
cd "$(dirname "$0")/../.." || exit 1

# C files and headers below the given folders, in a steady order.
c_files()
{
	find "$@" -name '*.[ch]' 2>/dev/null | LC_ALL=C sort
}

product_files()
{
	c_files base conf queue sched relay
}

# Show the findings on standard input, one a line; fail when there is one.
report()
{
	awk '{ print } END { exit NR > 0 }'
}
