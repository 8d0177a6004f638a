#!/bin/bash
# tests/lint/cppcheck.sh - cppcheck over every source of the product.
#
# Not asked for: the two ...OutOfBoundsCond, which guess an index from a nearby comparison, wrongly for enums and for checked
# lengths; uninitvar, which does not see through the list macros (gcc and clang-tidy look for the same).
. "$(dirname "$0")/files.sh"

# shellcheck disable=SC2046 # a list of words
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$(nproc)" \
    --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=arrayIndexOutOfBoundsCond \
    --suppress=pointerOutOfBoundsCond --suppress=uninitvar --suppress=legacyUninitvar \
    --template='{file}:{line}: {message} [{id}]' -D_GNU_SOURCE -I. -I"${BUILD:-build}/gen" $(product_files | grep '\.c$')
