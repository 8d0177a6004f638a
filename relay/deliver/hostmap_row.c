/* relay/deliver/hostmap_row.c - what is known of an address as a row of the store, and the memo that held it all in earlier stores. */
#include "relay/deliver/hostmap_int.h"

#include <stdio.h>
#include <string.h>

#include "base/bigend.h"

/* A row, numbers with the high byte first: version u8, failures u8, source u32, since u64, down until u64, no TLS until u64, then name and reason,
 * each with a u8 of length before it. */
#define ROW_VERSION 1
#define ROW_FIXED   30
#define ROW_MAX     (ROW_FIXED + 2 * 256)
#define FAR_MS      DAYS(30) /* a time further ahead is no time of ours */

/* The memo: version u8, then entries. Version 1 has no source. */
#define MEMO_VERSION  2
#define MEMO_ENTRY    40 /* family u8, address 16, port u16, failures u8, down until u64, no TLS until u64, version 2: source u32 */
#define MEMO_ENTRY_V1 36

static uint8_t *put_text(uint8_t *to, const char *text)
{
	size_t len = strnlen(text, UINT8_MAX);

	*to++ = (uint8_t)len;
	memcpy(to, text, len);
	return to + len;
}

/* What is left to read. */
struct source_bytes {
	const uint8_t *at, *end;
	bool short_of; /* there was less than was asked for */
};

static uint64_t get(struct source_bytes *from, unsigned bytes)
{
	if (from->end - from->at < (ptrdiff_t)bytes) {
		from->short_of = true;
		return 0;
	}
	return bigend_get(&from->at, bytes);
}

static void get_text(struct source_bytes *from, char **out)
{
	size_t len = get(from, 1);
	char text[UINT8_MAX + 1];

	if ((size_t)(from->end - from->at) < len) {
		from->short_of = true;
		return;
	}
	memcpy(text, from->at, len);
	text[len] = '\0';
	from->at += len;
	hostmap_set_text(out, text);
}

/* --- rows ----------------------------------------------------------------------------------------------------------------------- */

#define NAME_MAX_BYTES (sizeof(HOSTMAP_ROW) + IP_PORT_TEXT)

static const char *name_of(const struct host *host, char out[NAME_MAX_BYTES])
{
	char at[IP_PORT_TEXT];

	(void)snprintf(out, NAME_MAX_BYTES, HOSTMAP_ROW "%s", ip_port_format(&host->at, at));
	return out;
}

void hostmap_keep(struct hostmap *map, const struct host *host)
{
	char name[NAME_MAX_BYTES];
	uint8_t row[ROW_MAX], *to = row;

	if (!map->keep)
		return;
	to = bigend_put(to, ROW_VERSION, 1);
	to = bigend_put(to, host->failures, 1);
	to = bigend_put(to, host->down_for, 4);
	to = bigend_put(to, (uint64_t)host->since, 8);
	to = bigend_put(to, (uint64_t)host->down_until, 8);
	to = bigend_put(to, (uint64_t)host->no_tls_until, 8);
	to = put_text(to, host->name);
	to = put_text(to, host->why);
	map->keep(map->arg, name_of(host, name), row, (size_t)(to - row));
}

void hostmap_unkeep(struct hostmap *map, const struct host *host)
{
	char name[NAME_MAX_BYTES];

	if (map->keep)
		map->keep(map->arg, name_of(host, name), NULL, 0);
}

static bool is_sane(wall_ms when, wall_ms now)
{
	return when >= 0 && when < now + FAR_MS;
}

/* False: it cannot be read, or says nothing that still counts. */
static bool decode(struct hostmap *map, struct host *host, const void *data, size_t len, wall_ms now)
{
	struct source_bytes from = { .at = data, .end = (const uint8_t *)data + len };

	if (get(&from, 1) != ROW_VERSION)
		return false;
	host->failures = (uint8_t)get(&from, 1);
	map->down += host->failures > 0;
	host->down_for = (uint32_t)get(&from, 4);
	host->since = (wall_ms)get(&from, 8);
	host->down_until = (wall_ms)get(&from, 8);
	host->no_tls_until = (wall_ms)get(&from, 8);
	get_text(&from, &host->name);
	get_text(&from, &host->why);
	return !from.short_of && is_sane(host->down_until, now) && is_sane(host->no_tls_until, now) && !hostmap_is_over(host, now);
}

void hostmap_restore(struct hostmap *map, const char *name, const void *data, size_t len, wall_ms now)
{
	struct ip_port at;
	struct host *host;

	if (!ip_port_parse(name + strlen(HOSTMAP_ROW), &at)) {
		if (map->keep)
			map->keep(map->arg, name, NULL, 0);
		return;
	}
	if (hostmap_find(map, &at.addr, at.port))
		return;
	host = hostmap_add(map, &at);
	if (decode(map, host, data, len, now))
		return;
	hostmap_unkeep(map, host);
	hostmap_drop(map, host);
}

/* --- the memo --------------------------------------------------------------------------------------------------------------------- */

static void take_entry(struct hostmap *map, struct source_bytes *from, bool has_source, wall_ms now)
{
	struct ip_port at = { .addr = { .family = get(from, 1) == 4 ? AF_INET : AF_INET6 } };
	struct host *host;

	memcpy(at.addr.bytes, from->at, 16);
	from->at += 16;
	at.port = (uint16_t)get(from, 2);
	if (at.port == 0 || hostmap_find(map, &at.addr, at.port)) {
		from->at += 17 + (has_source ? 4 : 0);
		return;
	}
	host = hostmap_add(map, &at);
	host->failures = (uint8_t)get(from, 1);
	map->down += host->failures > 0;
	host->down_until = (wall_ms)get(from, 8);
	host->no_tls_until = (wall_ms)get(from, 8);
	host->down_for = has_source ? (uint32_t)get(from, 4) : ANYBODY;
	if (is_sane(host->down_until, now) && is_sane(host->no_tls_until, now) && !hostmap_is_over(host, now))
		hostmap_keep(map, host);
	else
		hostmap_drop(map, host);
}

/* A copy of a later version, or a damaged one, is as good as none: it is a memory, not mail. */
void hostmap_restore_memo(struct hostmap *map, const void *data, size_t len, wall_ms now)
{
	struct source_bytes from = { .at = data, .end = (const uint8_t *)data + len };
	uint64_t version = get(&from, 1);
	ptrdiff_t size = version == 1 ? MEMO_ENTRY_V1 : MEMO_ENTRY;

	if (version < 1 || version > MEMO_VERSION)
		return;
	while (from.end - from.at >= size)
		take_entry(map, &from, version > 1, now);
}
