/* relay/relayq/classify.c - the verb classify: what replies mean, by the rules of conf/replies.h. */
#include "relay/relayq/classify.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "relay/deliver/verdict.h"

#define LINE_MAX_BYTES 16384 /* of which a reply needs a part; the rest of a longer line is dropped */

/* Where the rules come from, and what must live as long as they do. */
struct origin_of_rules {
	struct conf *conf;
	struct memory memory;
	const struct replies *replies;
};

static bool load_conf(struct origin_of_rules *from, const char *file, FILE *err)
{
	struct conf_faults faults;

	from->conf = conf_load(file, &faults);
	if (from->conf)
		verdict_check(from->conf, false, &faults);
	(void)fputs(faults.text, err);
	from->replies = from->conf && faults.count == 0 ? from->conf->reply_rules : NULL;
	conf_faults_free(&faults);
	return from->replies != NULL;
}

static bool load(struct origin_of_rules *from, const char *file, FILE *err)
{
	struct fault_list none = { 0 };

	if (file)
		return load_conf(from, file, err);
	from->replies = replies_load(&from->memory, NULL, &none);
	return true;
}

static void unload(struct origin_of_rules *from)
{
	if (from->conf)
		conf_unref(&from->conf);
	memory_fini(&from->memory);
}

static void print_plain(const struct verdict *verdict, FILE *out)
{
	(void)fprintf(out, "%s\t%s\t%s\n", replies_class_name(verdict->class), replies_action_name(verdict->action), verdict->rule);
}

static void print_json(const struct verdict *verdict, FILE *out)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:I}", "class", replies_class_name(verdict->class), "action",
	    replies_action_name(verdict->action), "rule", verdict->rule, "scope", replies_scope_name(verdict->scope), "wait",
	    (json_int_t)(verdict->wait_ms / 1000));

	must(row);
	(void)json_dumpf(row, out, JSON_COMPACT);
	(void)fputc('\n', out);
	json_decref(row);
}

/* A line without its end; NUL bytes count as blanks. False: there is no more. */
static bool read_line(FILE *in, char line[LINE_MAX_BYTES])
{
	size_t len = 0;
	int c;

	while ((c = getc(in)) != EOF && c != '\n')
		if (len + 1 < LINE_MAX_BYTES)
			line[len++] = c == '\0' ? ' ' : (char)c;
	if (c == EOF && len == 0)
		return false;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	return true;
}

static void classify_lines(struct verdict_rules *rules, bool json, FILE *in, FILE *out)
{
	char line[LINE_MAX_BYTES];

	while (read_line(in, line)) {
		char *tab = strchr(line, '\t');
		struct verdict verdict;

		if (tab)
			*tab = '\0';
		verdict_of(rules, tab ? line : "", tab ? tab + 1 : line, &verdict);
		(json ? print_json : print_plain)(&verdict, out);
	}
}

enum ops_exit classify_run(const char *file, bool json, FILE *in, FILE *out, FILE *err)
{
	struct origin_of_rules from = { 0 };
	enum ops_exit status = OPS_DONE;
	struct verdict_rules *rules;

	if (load(&from, file, err)) {
		rules = verdict_rules_create(from.replies, NULL);
		classify_lines(rules, json, in, out);
		verdict_rules_destroy(&rules);
		if (fflush(out) != 0 || ferror(out))
			status = OPS_REFUSED;
	} else {
		status = OPS_USAGE;
	}
	unload(&from);
	return status;
}
