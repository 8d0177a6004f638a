#!/bin/bash
# tests/lint/docs.sh - docs/CONFIG.md is what the schema says today (`make docs` writes it).
. "$(dirname "$0")/files.sh"

"${BUILD:-build}/relayd" --reference | diff -u docs/CONFIG.md - | head -n 40 | report
