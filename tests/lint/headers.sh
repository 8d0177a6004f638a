#!/bin/bash
# tests/lint/headers.sh - each file says what it is, each header guards itself and explains what it declares.
#
# One comment serves a group without a blank line in it. The verbs whose meaning the house fixes need none.
. "$(dirname "$0")/files.sh"

for file in $(c_files base conf queue sched relay tests bench); do
	awk -v file="$file" '
	function flush() {
		if (declared && !commented)
			print file ":" declared ": declared without a comment: " text
		declared = 0
		commented = 0
	}
	NR == 1 && index($0, "/* " file " - ") != 1 { print file ":1: does not begin with \"/* " file " - \" and a sentence" }
	file !~ /\.h$/ || file ~ /^tests\// || file ~ /^bench\// { next }
	NR <= 30 && /^#ifndef [A-Z_0-9]+_H$/ { guarded = 1 }
	/^[ \t]*$/ { flush(); next }
	/\/\*/ { commented = 1 }
	/^[a-zA-Z_][a-zA-Z_0-9 *]*\(/ && !/^(struct|enum|union)[^()]*\{/ && !/^(typedef|_Static_assert)/ && !declared &&
	    !/_(init|fini|destroy|close|free)\(/ { declared = NR; text = $0 }
	END {
		flush()
		if (file ~ /\.h$/ && file !~ /^(tests|bench)\// && !guarded)
			print file ":1: no include guard"
	}' "$file"
done | report
