/* relay/relayq/transfer.c - suppressed addresses out to a file and in from one. */
#include "relay/relayq/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "queue/suppress.h"
#include "relay/ops/fact.h"
#include "relay/relayq/client.h"
#include "relay/relayq/field.h"
#include "relay/relayq/settings.h"
#include "relay/relayq/text.h"
#include "relay/wire/utf8.h"

#define TITLES      "address,tenant,since,until,reason"
#define EXPECTED    "expected an address, \"" TITLES "\", or a JSON object"
#define SLICE       500   /* addresses in one request */
#define SLICE_BYTES 40000 /* of their lines, so that a request stays below what the daemon reads */
#define TOLD_MAX    20    /* bad lines that are told one by one */
#define BOM         "\xef\xbb\xbf" /* what spreadsheets begin a file with */

enum cell { CELL_SINCE = 2, CELL_UNTIL, CELLS = 5 };

static const char *const CELL_KEYS[CELLS] = { "address", "tenant", "since", "until", "reason" };

static const char *word(const struct verb_call *call, size_t i)
{
	const char *text = json_string_value(json_array_get(json_object_get(call->args, "words"), i));

	return text ? text : "";
}

bool transfer_is_meant(const struct verb_call *call)
{
	return strcmp(call->verb->name, "suppress") == 0 && (strcmp(word(call, 0), "export") == 0 || strcmp(word(call, 0), "import") == 0);
}

/* --- out -------------------------------------------------------------------------------------------------------------------- */

struct outlet {
	FILE *out, *err;
	bool json;
};

/* RFC 4180: quoted where it must be. */
static void put_cell(FILE *out, const char *text, bool last)
{
	bool quoted = strpbrk(text, ",\"\r\n") != NULL;

	if (quoted)
		(void)fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			(void)fputc('"', out);
		(void)fputc(*text, out);
	}
	if (quoted)
		(void)fputc('"', out);
	(void)fputc(last ? '\n' : ',', out);
}

static void on_row(void *arg, const json_t *row)
{
	struct outlet *outlet = arg;

	if (outlet->json) {
		(void)json_dumpf(row, outlet->out, JSON_COMPACT);
		(void)fputc('\n', outlet->out);
		return;
	}
	for (size_t i = 0; i < CELLS; i++)
		put_cell(outlet->out, field_text(row, CELL_KEYS[i]), i == CELLS - 1);
}

static void on_end(void *arg, const json_t *end)
{
	struct outlet *outlet = arg;

	if (field_number(end, "exit") != OPS_DONE)
		(void)fprintf(outlet->err, "relayq: %s\n", field_text(end, "message"));
}

static enum ops_exit export(struct conf *conf, const struct verb_call *call, FILE *out, FILE *err)
{
	struct outlet outlet = { .out = out, .err = err, .json = call->json };
	struct client_sink sink = { .row = on_row, .end = on_end, .arg = &outlet };
	json_t *args = json_pack("{s:[s]}", "words", "list");
	enum ops_exit status;

	if (json_object_get(call->args, "tenant"))
		(void)json_object_set(args, "tenant", json_object_get(call->args, "tenant"));
	if (!call->json)
		(void)fputs(TITLES "\n", out);
	status = client_ask(conf, "suppress", args, &sink);
	json_decref(args);
	if (fflush(out) != 0 || ferror(out)) {
		(void)fputs("relayq: the output cannot be written\n", err);
		return OPS_REFUSED;
	}
	return status;
}

/* --- in --------------------------------------------------------------------------------------------------------------------- */

/* The cells of a line, unquoted in place; those that are absent stay as they are. False: not CSV, or too many. */
static bool split(char *line, const char *cells[CELLS])
{
	size_t count = 0;

	for (char *at = line; count < CELLS;) {
		char *to = at;
		bool quoted = *at == '"';

		cells[count++] = to;
		for (at += quoted; *at && (quoted || *at != ','); at++) {
			if (quoted && *at == '"' && *++at != '"') {
				quoted = false;
				if (*at && *at != ',')
					return false;
				break;
			}
			*to++ = *at;
		}
		if (quoted)
			return false;
		if (*at == '\0') {
			*to = '\0';
			return true;
		}
		at++;
		*to = '\0';
	}
	return false;
}

/* A time that cannot be read must not pass for none: an address would be suppressed for ever. */
static bool put_time(json_t *object, const char *key, const char *text)
{
	wall_ms when = text_parse_time(text);

	if (when > 0)
		fact_number(object, key, (uint64_t)when);
	return when > 0 || text[0] == '\0' || strcmp(text, "never") == 0;
}

/* `cells` in the order of CELL_KEYS. */
static json_t *make_entry(const char *const cells[CELLS], const char **why)
{
	json_t *entry = json_object();

	for (size_t i = 0; i < CELLS; i++) {
		bool time = i == CELL_SINCE || i == CELL_UNTIL;

		if (!time)
			fact_text(entry, CELL_KEYS[i], cells[i]);
		else if (!put_time(entry, CELL_KEYS[i], cells[i]))
			*why = "expected since and until as times such as 2030-12-31T00:00:00Z, or nothing";
	}
	if (cells[0][0] == '\0')
		*why = EXPECTED;
	if (*why) {
		json_decref(entry);
		return NULL;
	}
	return entry;
}

static json_t *read_csv(char *line, const char **why)
{
	const char *cells[CELLS] = { "", "", "", "", "" };

	if (split(line, cells))
		return make_entry(cells, why);
	*why = EXPECTED;
	return NULL;
}

static json_t *read_json(const char *line, size_t len, const char **why)
{
	json_t *row = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL), *entry = NULL;
	const char *cells[CELLS];

	if (!json_is_object(row))
		*why = EXPECTED;
	for (size_t i = 0; i < CELLS && !*why; i++) {
		const json_t *value = json_object_get(row, CELL_KEYS[i]);

		if (value && !json_is_string(value) && !json_is_null(value))
			*why = "expected texts as members of the object";
		cells[i] = field_text(row, CELL_KEYS[i]);
	}
	if (!*why)
		entry = make_entry(cells, why);
	json_decref(row);
	return entry;
}

json_t *transfer_read_line(const char *line, size_t len, const char **why)
{
	char *copy;
	json_t *entry;

	*why = NULL;
	while (len > 0 && strchr(" \t\r\n", line[len - 1]) && line[len - 1] != '\0')
		len--;
	if (len == 0)
		return NULL;
	/* Bytes of another character set would be stored as an address that no mail ever has. */
	if (!utf8_is_valid(line, len) || memchr(line, '\0', len)) {
		*why = "expected text in UTF-8";
		return NULL;
	}
	if (line[0] == '{')
		return read_json(line, len, why);
	copy = xstrndup(line, len);
	entry = read_csv(copy, why);
	free(copy);
	return entry;
}

struct inlet {
	struct conf *conf;
	FILE *err;
	json_t *entries;
	size_t bytes, line, bad, told;
	uint64_t changed, known, refused;
	bool failed;
};

/* Rows tell what was refused; lines are handed in without their numbers. */
static void on_refused(void *arg, const json_t *row)
{
	struct inlet *inlet = arg;

	if (++inlet->told <= TOLD_MAX)
		(void)fprintf(inlet->err, "relayq: \"%s\": %s\n", field_text(row, "address"), field_text(row, "error"));
}

static void on_slice_end(void *arg, const json_t *end)
{
	struct inlet *inlet = arg;

	inlet->changed += field_number(end, "changed");
	inlet->known += field_number(end, "known");
	inlet->refused += field_number(end, "refused");
	if (json_object_get(end, "changed"))
		return;
	inlet->failed = true;
	(void)fprintf(inlet->err, "relayq: before line %zu: %s\n", inlet->line, field_text(end, "message"));
}

static enum ops_exit hand_in(struct inlet *inlet)
{
	struct client_sink sink = { .row = on_refused, .end = on_slice_end, .arg = inlet };
	json_t *args;
	enum ops_exit status;

	if (json_array_size(inlet->entries) == 0)
		return OPS_DONE;
	args = json_pack("{s:[s], s:O}", "words", "import", "entries", inlet->entries);
	status = client_ask(inlet->conf, "suppress", args, &sink);
	json_decref(args);
	(void)json_array_clear(inlet->entries);
	inlet->bytes = 0;
	return inlet->failed ? status : OPS_DONE;
}

static void take_line(struct inlet *inlet, const char *line, size_t len, const char *tenant)
{
	const char *why;
	json_t *entry = transfer_read_line(line, len, &why);

	if (!entry) {
		if (why && ++inlet->bad <= TOLD_MAX)
			(void)fprintf(inlet->err, "relayq: line %zu: %s\n", inlet->line, why);
		return;
	}
	if (tenant)
		fact_text(entry, "tenant", tenant);
	(void)json_array_append_new(inlet->entries, entry);
	inlet->bytes += len + 100;
}

static enum ops_exit import(struct conf *conf, const struct verb_call *call, FILE *in, FILE *out, FILE *err)
{
	struct inlet inlet = { .conf = conf, .err = err, .entries = json_array() };
	const char *tenant = json_string_value(json_object_get(call->args, "tenant"));
	enum ops_exit status = OPS_DONE;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while (status == OPS_DONE && (len = getline(&line, &size, in)) > 0) {
		size_t skip = ++inlet.line == 1 && strncmp(line, BOM, strlen(BOM)) == 0 ? strlen(BOM) : 0;

		if (inlet.line == 1 && strncmp(line + skip, "address,", 8) == 0)
			continue;
		take_line(&inlet, line + skip, (size_t)len - skip, tenant);
		if (json_array_size(inlet.entries) == SLICE || inlet.bytes > SLICE_BYTES)
			status = hand_in(&inlet);
	}
	if (ferror(in)) {
		(void)fprintf(err, "relayq: after line %zu: the input cannot be read: %s\n", inlet.line, strerror(errno));
		inlet.bad++;
	}
	free(line);
	if (status == OPS_DONE)
		status = hand_in(&inlet);
	json_decref(inlet.entries);
	(void)fprintf(out, "%llu suppressed, %llu were already, %llu refused, %zu lines not read\n", (unsigned long long)inlet.changed,
	    (unsigned long long)inlet.known, (unsigned long long)inlet.refused, inlet.bad);
	if (status != OPS_DONE)
		return status;
	return inlet.refused + inlet.bad > 0 ? OPS_REFUSED : OPS_DONE;
}

enum ops_exit transfer_run(const struct verb_call *call, FILE *out, FILE *err)
{
	struct conf *conf = settings_load(call->file, err);
	const char *file = word(call, 1);
	enum ops_exit status;
	FILE *in = stdin;

	if (!conf)
		return OPS_USAGE;
	if (json_array_size(json_object_get(call->args, "words")) > (strcmp(word(call, 0), "export") == 0 ? 1u : 2u)) {
		(void)fprintf(err, "relayq: suppress %s: one argument too many\n", word(call, 0));
		status = OPS_USAGE;
	} else if (strcmp(word(call, 0), "export") == 0) {
		status = export(conf, call, out, err);
	} else {
		if (file[0] && strcmp(file, "-") != 0)
			in = fopen(file, "re");
		if (!in)
			(void)fprintf(err, "relayq: %s: %s\n", file, strerror(errno));
		status = in ? import(conf, call, in, out, err) : OPS_USAGE;
		if (in && in != stdin)
			(void)fclose(in);
	}
	conf_unref(&conf);
	return status;
}
