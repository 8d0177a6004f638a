#!/bin/bash
# tests/lint/banned.sh - functions that are not used here, and what to use.
. "$(dirname "$0")/files.sh"

# Function, then the reason or the replacement.
banned='
strcpy         snprintf or memcpy: no bound
strcat         base/buf.h: no bound
strncpy        snprintf: leaves texts unterminated
strncat        base/buf.h: its bound is not the size
sprintf        snprintf: no bound
vsprintf       vsnprintf: no bound
gets           fgets: no bound
strtok         strtok_r: hidden state
rand           base/rand.h: hidden state
srand          base/rand.h: hidden state
random         base/rand.h: hidden state
drand48        base/rand.h: hidden state
time           base/clock.h, or a handed-in time
gettimeofday   base/clock.h, or a handed-in time
ctime          clock_rfc3339: hidden state
asctime        clock_rfc3339: hidden state
gmtime         gmtime_r: hidden state
localtime      times are UTC
gethostbyname  relay/net/resolver.h: blocks
gethostbyaddr  relay/net/resolver.h: blocks
inet_addr      ip_parse: accepts octal and short forms
inet_aton      ip_parse: accepts octal and short forms
inet_ntoa      ip_format: hidden state
tmpnam         mkstemp: a race
mktemp         mkstemp: a race
system         posix_spawn: a shell in between
popen          posix_spawn: a shell in between
alloca         a buffer with a cap: no bound
longjmp        results that are returned
atoi           strtol: overflow is undefined
atol           strtol: overflow is undefined
'

for file in $(c_files base conf queue sched relay tests bench); do
	# Comments and string literals do not count.
	awk -v file="$file" -v banned="$banned" '
	BEGIN {
		n = split(banned, row, "\n")
		for (i = 1; i <= n; i++)
			if (split(row[i], word, " ") > 1) {
				why = row[i]
				sub(/^[^ ]* */, "", why)
				use[word[1]] = why
			}
	}
	{
		line = $0
		gsub(/\\./, "", line)
		gsub(/"[^"]*"/, "\"\"", line)
		if (in_comment) {
			if (line !~ /\*\//)
				next
			sub(/^.*\*\//, "", line)
			in_comment = 0
		}
		gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
		sub(/\/\/.*/, "", line)
		if (line ~ /\/\*/) {
			sub(/\/\*.*/, "", line)
			in_comment = 1
		}
		while (match(line, /[A-Za-z_][A-Za-z_0-9]*\(/)) {
			name = substr(line, RSTART, RLENGTH - 1)
			before = substr(line, 1, RSTART - 1)
			line = substr(line, RSTART + RLENGTH)
			if (name in use && before !~ /(->|\.)$/)
				print file ":" NR ": " name ": " use[name]
		}
	}' "$file"
done | report
