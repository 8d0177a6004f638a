#!/bin/bash
# tests/lint/sizes.sh - files of at most 600 lines, functions of at most 80.
#
# A comment that begins with "lint: long" and gives the reason exempts the function it stands before or in; in the first
# ten lines of a file it exempts the file. Meant for tables.
. "$(dirname "$0")/files.sh"

for file in $(c_files base conf queue sched relay tests bench); do
	awk -v file="$file" '
	/\/\* lint: long [a-z]/ { if (NR <= 10) exempt_file = 1; else exempt = NR }
	/^[A-Za-z_].*[(,]/ && !/;$/ && !in_function { head = NR; name = $0 }
	/^\{/ { in_function = 1; start = head }
	/^\}/ && in_function {
		in_function = 0
		if (NR - start + 1 > 80 && !(exempt && exempt >= start - 5))
			print file ":" start ": " NR - start + 1 " lines: " name
		exempt = 0
	}
	END { if (NR > 600 && !exempt_file) print file ":1: " NR " lines" }' "$file"
done | report
