#!/bin/bash
# tests/lint/format.sh - how far each file is from .clang-format. Tables are laid out by hand, so this tells, never fails.
. "$(dirname "$0")/files.sh"

for file in $(c_files base conf queue sched relay tests bench); do
	lines=$(clang-format --style=file "$file" | diff "$file" - | grep -c '^[<>]')
	[ "$lines" -eq 0 ] || echo "$file: $lines lines differ"
done
exit 0
