/* relay/relayq/dkim_verb.c - the verb dkim: make signing keys, and show those of the configuration with their DNS records. */
#include "relay/relayq/dkim_verb.h"

#include <errno.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/value.h"
#include "relay/ops/fact.h"
#include "relay/relayq/settings.h"
#include "relay/sign/dkim_key.h"

#define RSA_BITS     2048
#define TXT_PART     255 /* bytes of a character-string in DNS (RFC 1035 section 3.3) */
#define RECORD_MAX   8192
#define SELECTOR_MAX 64

/* One key, made or listed. Strings are borrowed. */
struct item {
	const char *domain, *selector, *file;
	const struct dkim_key *key;
};

static enum ops_exit refuse(FILE *err, const char *what, const char *why)
{
	(void)fprintf(err, "relayq: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	return OPS_REFUSED;
}

static const char *option(const struct verb_call *call, const char *name)
{
	return json_string_value(json_object_get(call->args, name));
}

/* --- the record ----------------------------------------------------------------------------------------------------------- */

/* As a line of a zone file: NAME IN TXT "part" "part"; the parts are joined without anything between them by who reads it. */
static char *record_line(const struct item *item, const struct buf *record)
{
	char *line = xasprintf("%s._domainkey.%s. IN TXT", item->selector, item->domain);

	for (size_t at = 0; at < record->len; at += TXT_PART) {
		char *longer = xasprintf("%s \"%.*s\"", line, TXT_PART, record->data + at);

		free(line);
		line = longer;
	}
	return line;
}

static void print_json(const struct item *item, const struct buf *record, FILE *out)
{
	json_t *o = json_object();

	fact_text(o, "domain", item->domain);
	fact_text(o, "selector", item->selector);
	fact_text(o, "algorithm", dkim_type_algorithm(dkim_key_type(item->key)));
	fact_number(o, "bits", dkim_key_bits(item->key));
	fact_text(o, "file", item->file);
	fact_text(o, "record", buf_str(record));
	(void)json_dumpf(o, out, JSON_COMPACT);
	(void)fputc('\n', out);
	json_decref(o);
}

static void print_text(const struct item *item, const struct buf *record, bool is_new, FILE *out)
{
	char *line = record_line(item, record);

	(void)fprintf(out, "; %s %s, %u bits: %s\n%s\n", is_new ? "made" : "key", dkim_type_algorithm(dkim_key_type(item->key)),
	    dkim_key_bits(item->key), item->file, line);
	if (is_new)
		(void)fprintf(out, "; in relay.yaml below dkim:, once the record can be seen\n  - {domain: %s, selector: %s, key: \"%s\"}\n",
		    item->domain, item->selector, item->file);
	free(line);
}

static void print_item(const struct verb_call *call, const struct item *item, bool is_new, FILE *out)
{
	struct buf record;

	buf_init(&record, RECORD_MAX);
	must(dkim_key_record(item->key, &record) == OK);
	if (call->json)
		print_json(item, &record, out);
	else
		print_text(item, &record, is_new, out);
	buf_fini(&record);
}

/* --- new ------------------------------------------------------------------------------------------------------------------ */

/* Letters that tell the algorithms apart where both have one selector. */
static const char LETTERS[DKIM_TYPES] = { [DKIM_RSA] = 'r', [DKIM_ED25519] = 'e' };

/* What is asked for by --type: one, or both. False: another word. */
static bool parse_type(const char *text, bool wanted[DKIM_TYPES])
{
	bool both = !text || strcmp(text, "both") == 0, any = both;

	for (int type = 0; type < DKIM_TYPES; type++) {
		wanted[type] = both || strcmp(text, dkim_type_name((enum dkim_type)type)) == 0;
		any = any || wanted[type];
	}
	return any;
}

/* r20261124, or the letter and what was given; one algorithm alone takes what was given as it is. */
static void choose_selector(const char *given, enum dkim_type type, bool both, char out[SELECTOR_MAX])
{
	time_t now = (time_t)(clock_wall() / 1000);
	struct tm day;

	if (given && !both)
		(void)snprintf(out, SELECTOR_MAX, "%s", given);
	else if (given)
		(void)snprintf(out, SELECTOR_MAX, "%c%s", LETTERS[type], given);
	else if (gmtime_r(&now, &day))
		(void)snprintf(out, SELECTOR_MAX, "%c%04d%02d%02d", LETTERS[type], day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

/* The folder for keys: as told, else keys/ beside the configuration. Absolute, as the daemon may be started elsewhere. malloc'ed. */
static char *choose_folder(const struct verb_call *call, FILE *err)
{
	const char *given = option(call, "dir");
	char *file = xstrdup(call->file), *folder = given ? xstrdup(given) : xasprintf("%s/keys", dirname(file)), *absolute;

	if (mkdir(folder, 0750) != 0 && errno != EEXIST) {
		(void)refuse(err, folder, strerror(errno));
		absolute = NULL;
	} else {
		absolute = realpath(folder, NULL);
		if (!absolute)
			(void)refuse(err, folder, strerror(errno));
	}
	free(file);
	free(folder);
	return absolute;
}

/* Made by root, to be read by the daemon's user: by its group, if the configuration tells who that is. */
static void share_with_daemon(const struct verb_call *call, const char *folder, const char *file, FILE *err)
{
	struct conf_faults faults;
	struct conf *conf;
	const struct passwd *user;

	if (geteuid() != 0)
		return;
	conf = conf_load(call->file, &faults);
	user = getpwnam(conf ? conf->user : "warmrelay");
	if (user && user->pw_uid != 0 &&
	    (chown(file, (uid_t)-1, user->pw_gid) != 0 || chmod(file, 0640) != 0))
		(void)refuse(err, file, strerror(errno));
	if (user && user->pw_uid != 0)
		(void)!chown(folder, (uid_t)-1, user->pw_gid);
	conf_faults_free(&faults);
	conf_unref(&conf);
}

static enum ops_exit make_key(const struct verb_call *call, struct item *item, enum dkim_type type, const char *folder, FILE *out, FILE *err)
{
	char *file = xasprintf("%s/%s.%s.pem", folder, item->domain, item->selector);
	struct err_detail why = { .text = "" };
	struct dkim_key *key = dkim_key_generate(type, RSA_BITS, &why);
	enum ops_exit status = OPS_DONE;

	if (!key || dkim_key_write(key, file, &why) != OK) {
		status = refuse(err, why.text, NULL);
	} else {
		share_with_daemon(call, folder, file, err);
		item->file = file;
		item->key = key;
		print_item(call, item, true, out);
	}
	dkim_key_destroy(&key);
	free(file);
	return status;
}

static bool is_host(const char *text, struct value *value)
{
	return value_parse(VALUE_HOST, text, value);
}

static enum ops_exit new_keys(const struct verb_call *call, const char *domain, FILE *out, FILE *err)
{
	const char *given = option(call, "selector");
	bool wanted[DKIM_TYPES], both;
	enum ops_exit status = OPS_DONE;
	struct value name, selector;
	char *folder;

	if (!is_host(domain, &name) || (given && (!is_host(given, &selector) || strlen(given) > SELECTOR_MAX - 2)))
		return (void)refuse(err, "dkim new", "expected a domain such as shop.example, and --selector with a short name of that form"),
		       OPS_USAGE;
	if (!parse_type(option(call, "type"), wanted))
		return (void)refuse(err, "--type", "expected rsa, ed25519 or both"), OPS_USAGE;
	folder = choose_folder(call, err);
	if (!folder)
		return OPS_REFUSED;
	both = wanted[DKIM_RSA] && wanted[DKIM_ED25519];
	for (int type = 0; type < DKIM_TYPES && status == OPS_DONE; type++) {
		char text[SELECTOR_MAX];
		struct item item = { .domain = name.text, .selector = text };

		choose_selector(given ? selector.text : NULL, (enum dkim_type)type, both, text);
		if (wanted[type])
			status = make_key(call, &item, (enum dkim_type)type, folder, out, err);
	}
	free(folder);
	return status;
}

/* --- list ----------------------------------------------------------------------------------------------------------------- */

static enum ops_exit list_keys(const struct verb_call *call, FILE *out, FILE *err)
{
	struct conf *conf = settings_load(call->file, err);
	enum ops_exit status = OPS_DONE;

	if (!conf)
		return OPS_USAGE;
	for (size_t i = 0; i < conf->dkim_count; i++) {
		const struct conf_dkim *entry = &conf->dkim[i];
		const char *warning = NULL;
		struct err_detail why = { .text = "" };
		struct dkim_key *key = dkim_key_load(entry->key, &warning, &why);
		struct item item = { entry->domain, entry->selector, entry->key, key };

		if (key)
			print_item(call, &item, false, out);
		else
			status = refuse(err, entry->key, why.text);
		if (warning)
			(void)refuse(err, entry->key, warning);
		dkim_key_destroy(&key);
	}
	if (conf->dkim_count == 0 && !call->json)
		(void)fputs("the configuration names no key; relayq dkim new DOMAIN makes one\n", out);
	conf_unref(&conf);
	return status;
}

enum ops_exit dkim_verb_run(const struct verb_call *call, FILE *out, FILE *err)
{
	const json_t *words = json_object_get(call->args, "words");
	const char *verb = json_string_value(json_array_get(words, 0)), *domain = json_string_value(json_array_get(words, 1));

	if (json_array_size(words) == 2 && strcmp(verb, "new") == 0)
		return new_keys(call, domain, out, err);
	if (json_array_size(words) == 1 && strcmp(verb, "list") == 0)
		return list_keys(call, out, err);
	(void)refuse(err, "dkim", "expected new DOMAIN, or list");
	return OPS_USAGE;
}
