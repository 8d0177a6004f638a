/* relay/wire/proxy.c - the PROXY protocol (haproxy.org/download/3.0/doc/proxy-protocol.txt), sections 2.1 and 2.2. */
#include "relay/wire/proxy.h"

#include <string.h>

#include "base/ascii.h"

#define V1_MAX    107 /* section 2.1: with its CRLF */
#define V2_FIXED  16
#define V2_LOCAL  0x20
#define V2_PROXY  0x21
#define V2_UNSPEC 0x00
#define V2_TCP4   0x11
#define V2_TCP6   0x21

static const char V2_SIGNATURE[12] = { '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };
static const char V1_SIGNATURE[6] = { 'P', 'R', 'O', 'X', 'Y', ' ' };

void proxy_reader_init(struct proxy_reader *reader)
{
	*reader = (struct proxy_reader){ .len = 0 };
}

static enum proxy_status bad(struct err_detail *why, const char *text)
{
	(void)!err_set(why, ERR_INVALID, "%s", text);
	return PROXY_BAD;
}

/* --- version 1: a line of text ---------------------------------------------------------------------------------------------- */

/* The next word of the line, up to one blank; `line` moves behind it. False: none, or too long. */
static bool next_word(const char **line, const char *end, char *out, size_t size)
{
	const char *blank = memchr(*line, ' ', (size_t)(end - *line));
	size_t len = (size_t)((blank != NULL ? blank : end) - *line);

	if (len == 0 || len >= size)
		return false;
	memcpy(out, *line, len);
	out[len] = '\0';
	*line = blank != NULL ? blank + 1 : end;
	return true;
}

/* 0..65535, without leading zeros. */
static bool parse_port(const char *text, uint16_t *out)
{
	unsigned value = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 5 || (text[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!ascii_is_digit(text[i]))
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*out = (uint16_t)value;
	return value <= UINT16_MAX;
}

static bool parse_v1_addresses(const char *line, const char *end, sa_family_t family, struct ip_port *client)
{
	struct ip_port server = { .port = 0 };
	char word[IP_TEXT];

	if (!next_word(&line, end, word, sizeof(word)) || !ip_parse(word, &client->addr) || client->addr.family != family)
		return false;
	if (!next_word(&line, end, word, sizeof(word)) || !ip_parse(word, &server.addr) || server.addr.family != family)
		return false;
	if (!next_word(&line, end, word, sizeof(word)) || !parse_port(word, &client->port))
		return false;
	return next_word(&line, end, word, sizeof(word)) && parse_port(word, &server.port) && line == end && end[-1] != ' ';
}

static enum proxy_status parse_v1(struct proxy_reader *reader, struct err_detail *why)
{
	const char *line = reader->data + sizeof(V1_SIGNATURE), *end = reader->data + reader->len - 2;
	char word[8];

	if (end < line || *end != '\r' || memchr(line, '\0', (size_t)(end - line)) != NULL || !next_word(&line, end, word, sizeof(word)))
		return bad(why, "malformed PROXY line");
	/* Section 2.1: what follows UNKNOWN is to be ignored. */
	if (strcmp(word, "UNKNOWN") == 0)
		return PROXY_DONE;
	if (strcmp(word, "TCP4") != 0 && strcmp(word, "TCP6") != 0)
		return bad(why, "PROXY line of another transport than TCP");
	if (!parse_v1_addresses(line, end, word[3] == '4' ? AF_INET : AF_INET6, &reader->client))
		return bad(why, "malformed addresses in the PROXY line");
	reader->has_client = true;
	return PROXY_DONE;
}

/* --- version 2: a block of bytes -------------------------------------------------------------------------------------------- */

static size_t v2_length(const struct proxy_reader *reader)
{
	return V2_FIXED + ((size_t)(uint8_t)reader->data[14] << 8) + (uint8_t)reader->data[15];
}

static void take_address(struct proxy_reader *reader, sa_family_t family, size_t bytes)
{
	const uint8_t *block = (const uint8_t *)reader->data + V2_FIXED;

	reader->client = (struct ip_port){ .addr = { .family = (uint8_t)family } };
	memcpy(reader->client.addr.bytes, block, bytes);
	reader->client.port = (uint16_t)(block[2 * bytes] << 8 | block[2 * bytes + 1]);
	reader->has_client = true;
}

static enum proxy_status parse_v2(struct proxy_reader *reader, struct err_detail *why)
{
	uint8_t command = (uint8_t)reader->data[12], transport = (uint8_t)reader->data[13];
	size_t bytes = transport == V2_TCP4 ? 4 : 16;

	if (command != V2_LOCAL && command != V2_PROXY)
		return bad(why, "PROXY header of an unknown version or command");
	if (command == V2_LOCAL || transport == V2_UNSPEC)
		return PROXY_DONE;
	if (transport != V2_TCP4 && transport != V2_TCP6)
		return bad(why, "PROXY header of another transport than TCP");
	if (reader->len < V2_FIXED + 2 * bytes + 4)
		return bad(why, "PROXY header without its addresses");
	take_address(reader, transport == V2_TCP4 ? AF_INET : AF_INET6, bytes);
	return PROXY_DONE;
}

/* --- both ------------------------------------------------------------------------------------------------------------------- */

static bool begins(const struct proxy_reader *reader, const char *signature, size_t size)
{
	return memcmp(reader->data, signature, reader->len < size ? reader->len : size) == 0;
}

/* With one byte more: is it whole? */
static enum proxy_status look(struct proxy_reader *reader, struct err_detail *why)
{
	if (begins(reader, V2_SIGNATURE, sizeof(V2_SIGNATURE))) {
		if (reader->len < V2_FIXED)
			return PROXY_MORE;
		if (v2_length(reader) > sizeof(reader->data))
			return bad(why, "PROXY header is too long");
		return reader->len == v2_length(reader) ? parse_v2(reader, why) : PROXY_MORE;
	}
	if (!begins(reader, V1_SIGNATURE, sizeof(V1_SIGNATURE)))
		return bad(why, "no PROXY header");
	if (reader->data[reader->len - 1] == '\n')
		return parse_v1(reader, why);
	return reader->len < V1_MAX ? PROXY_MORE : bad(why, "PROXY line is too long");
}

enum proxy_status proxy_read(struct proxy_reader *reader, const char *in, size_t len, size_t *used_out, struct err_detail *why)
{
	enum proxy_status status = PROXY_MORE;
	size_t used = 0;

	while (used < len && status == PROXY_MORE) {
		must(reader->len < sizeof(reader->data));
		reader->data[reader->len++] = in[used++];
		status = look(reader, why);
	}
	if (status == PROXY_DONE)
		ip_unmap(&reader->client.addr);
	*used_out = used;
	return status;
}
