#!/bin/bash
# tests/lint/stems.sh - file stems are unique in the product, so that a name's prefix tells its file.
. "$(dirname "$0")/files.sh"

product_files | awk '
{
	stem = $0
	sub(/\.[ch]$/, "", stem)
	name = stem
	sub(/.*\//, "", name)
	if (name in first && first[name] != stem)
		print $0 ": the stem " name " is also " first[name]
	else
		first[name] = stem
}' | report
