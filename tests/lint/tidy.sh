#!/bin/bash
# tests/lint/tidy.sh - clang-tidy over every source of the product, with the flags that the Makefile compiles with.
. "$(dirname "$0")/files.sh"

flags=$(pkg-config --cflags libevent libssl libunbound ldns yaml-0.1 jansson libxxhash libsystemd 2>/dev/null)
# shellcheck disable=SC2086 # a list of words
product_files | grep '\.c$' | xargs -r -P "$(nproc)" -n 4 sh -c \
    'clang-tidy --quiet "$@" -- -std=c11 -D_GNU_SOURCE -I. -I"$BUILD/gen" '"$flags"' 2>/dev/null' sh
