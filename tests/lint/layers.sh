#!/bin/bash
# tests/lint/layers.sh - who may include whom, and which folder may use which library.
. "$(dirname "$0")/files.sh"

# Folder, then what it may include; the longest folder that fits counts. No row may name one that lies higher.
arrows='
base           base
conf           base conf
queue          base conf/conf.h queue
sched          base conf/conf.h conf/meaning.h sched
relay/wire     base relay/wire
relay/net      base conf/conf.h relay/wire relay/net
relay/intake   base conf/conf.h queue relay/wire relay/net relay/sign relay/intake
relay/sign     base conf/conf.h relay/wire relay/sign
relay/notify   base conf/conf.h queue relay/wire relay/sign relay/notify
relay          base conf queue sched relay
'

# Library header, then the folders that may include it. Tests and benchmarks may use all.
libraries='
event2/    relay/net
event.h    relay/net
openssl/   relay/net relay/sign
curl/      relay/net
unbound    relay/net
ldns/      relay/net
lmdb.h     queue
yaml.h     conf
jansson.h  conf relay/ops relay/relayq relay/notify
zlib.h     relay/notify
ncurses.h  relay/relayq/screen.c
uthash.h   base
pcre2.h    relay/deliver/pattern.c
'

product_files | xargs grep -n '^[ 	]*#[ 	]*include' /dev/null | awk -v arrows="$arrows" -v libraries="$libraries" '
function begins(text, prefix) { return substr(text, 1, length(prefix)) == prefix }
function under(path, folder) { return path == folder || begins(path, folder "/") }
BEGIN {
	rows = split(arrows, row, "\n")
	lib_rows = split(libraries, lib_row, "\n")
}
{
	split($0, part, ":")
	file = part[1]
	if ($0 ~ /"/) {
		match($0, /"[^"]*"/)
		header = substr($0, RSTART + 1, RLENGTH - 2)
		if (header !~ /\//) {
			if (header !~ /\.yaml\.h$/)
				print file ":" part[2] ": \"" header "\" without its folder"
			next
		}
		best = ""
		for (i = 1; i <= rows; i++) {
			n = split(row[i], word, " ")
			if (n > 0 && under(file, word[1]) && length(word[1]) > length(best)) {
				best = word[1]
				ok = 0
				for (w = 2; w <= n; w++)
					ok = ok || under(header, word[w])
			}
		}
		if (!ok)
			print file ":" part[2] ": " best " may not include " header
	} else {
		match($0, /<[^>]*>/)
		header = substr($0, RSTART + 1, RLENGTH - 2)
		for (i = 1; i <= lib_rows; i++) {
			n = split(lib_row[i], word, " ")
			if (n == 0 || !begins(header, word[1]))
				continue
			ok = 0
			for (w = 2; w <= n; w++)
				ok = ok || under(file, word[w])
			if (!ok)
				print file ":" part[2] ": <" header "> belongs elsewhere: " lib_row[i]
		}
	}
}' | report
