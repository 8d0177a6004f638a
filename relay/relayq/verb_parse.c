/* relay/relayq/verb_parse.c - the words of the command line: what is asked for, or what is wrong with it. */
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "conf/schema.h"
#include "conf/value.h"
#include "relay/ops/fact.h"
#include "relay/relayq/verb_int.h"

/* Of the design, and not of this version. */
static const char *const LATER[] = {
	"doctor", "lint", "export", "import",
};

struct parser {
	struct verb_call *call;
	FILE *out, *err;
	int argc, at;
	char **argv;
	bool literal; /* "--" was seen */
	bool said;    /* help or version */
};

static enum ops_exit fault(struct parser *p, const char *where, const char *what, const char *more)
{
	(void)fprintf(p->err, "relayq: %s%s%s%s%s\n", where, what ? " \"" : "", what ? what : "", what ? "\"" : "", more ? more : "");
	return OPS_USAGE;
}

/* `no such ...`, and what may have been meant. */
static enum ops_exit fault_near(struct parser *p, const char *where, const char *what, const char *more, const char *nearest)
{
	char *told = nearest ? xasprintf("%s, did you mean %s?", more, nearest) : xasprintf("%s; relayq help%s%s tells what is", more,
	    p->call->verb ? " " : "", p->call->verb ? p->call->verb->name : "");
	enum ops_exit status = fault(p, where, what, told);

	free(told);
	return status;
}

/* One value as it is, several as an array. */
static void add_text(json_t *args, const char *key, const char *text)
{
	json_t *old = json_object_get(args, key), *both;

	if (!old) {
		fact_text(args, key, text);
		return;
	}
	if (!json_is_array(old)) {
		both = json_array();
		must(json_array_append(both, old) == 0);
		fact_json(args, key, both);
		old = both;
	}
	must(json_array_append_new(old, json_string(text)) == 0);
}

static enum ops_exit take_value(struct parser *p, const struct option_row *option, const char *text)
{
	json_t *args = p->call->args;
	struct value value;

	if (option->kind != KIND_TEXTS && option->key && json_object_get(args, option->key))
		return fault(p, option->name, text, ": it was given before, and can be given once");
	switch (option->kind) {
	case KIND_TEXTS:
	case KIND_TEXT: {
		json_t *probe = json_string(text);

		if (!probe)
			return fault(p, option->name, text, ": not UTF-8");
		json_decref(probe);
		if (option->kind == KIND_TEXTS)
			add_text(args, option->key, text);
		else
			fact_text(args, option->key, text);
		return OPS_DONE;
	}
	case KIND_DURATION:
		if (!value_parse(VALUE_DURATION, text, &value) || value.number < SECONDS(1))
			return fault(p, option->name, text, ": expected a duration such as 90s, 15m, 4h or 5d");
		fact_number(args, option->key, (uint64_t)value.number);
		return OPS_DONE;
	case KIND_COUNT:
		if (!value_parse(VALUE_COUNT, text, &value) || value.number < 1)
			return fault(p, option->name, text, ": expected a number from 1 on");
		fact_number(args, option->key, (uint64_t)value.number);
		return OPS_DONE;
	case KIND_FILE:
		p->call->file = text;
		p->call->file_given = true;
		return OPS_DONE;
	case KIND_FLAG:
	case KIND_ALL:
	case KIND_JSON:
	case KIND_HELP:
	case KIND_VERSION:
		break;
	}
	return fault(p, option->name, NULL, " takes no value");
}

static enum ops_exit take_flag(struct parser *p, const struct option_row *option)
{
	if (option->kind == KIND_FLAG)
		fact_bool(p->call->args, option->key, true);
	else if (option->kind == KIND_ALL)
		p->call->all = true;
	else if (option->kind == KIND_JSON)
		p->call->json = true;
	else if (option->kind == KIND_VERSION)
		(void)fputs("relayq (warmrelay) " WARMRELAY_VERSION "\n", p->out);
	else
		verb_help(p->call->verb ? p->call->verb->name : NULL, p->out);
	p->said = p->said || option->kind == KIND_VERSION || option->kind == KIND_HELP;
	return OPS_DONE;
}

/* "--name" or "--name=value" of the options that the verb, or any call, takes. */
static const struct option_row *option_find(const char *word, unsigned groups, const char **value_out)
{
	const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	*value_out = equals ? equals + 1 : NULL;
	for (size_t i = 0; i < verb_option_count; i++)
		if (verb_options[i].group & groups && strlen(verb_options[i].name) == len && strncmp(verb_options[i].name, word, len) == 0)
			return &verb_options[i];
	return NULL;
}

/* The option that looks most like `word`; NULL: none does. */
static const char *option_nearest(const char *word, unsigned groups)
{
	const char *best = NULL;
	unsigned least = verb_near(word);

	for (size_t i = 0; i < verb_option_count; i++) {
		unsigned distance = schema_distance(word, verb_options[i].name);

		if (verb_options[i].group & groups && distance < least) {
			least = distance;
			best = verb_options[i].name;
		}
	}
	return best;
}

static enum ops_exit take_option(struct parser *p, const char *word)
{
	const struct verb *verb = p->call->verb;
	const char *value;
	const struct option_row *option = option_find(word, GLOBAL | (verb ? verb->options : 0), &value);

	if (!option)
		return fault_near(p, verb ? verb->name : "option", word, verb ? ": no such option" : " is not known here",
		    option_nearest(word, GLOBAL | (verb ? verb->options : 0)));
	if (!option->metavar && !value)
		return take_flag(p, option);
	if (!value && p->at == p->argc)
		return fault(p, word, NULL, " expects a value");
	return take_value(p, option, value ? value : p->argv[p->at++]);
}

/* The second word of a verb; none is "list". */
static enum ops_exit take_second(struct parser *p)
{
	const char *second = p->at < p->argc && p->argv[p->at][0] != '-' ? p->argv[p->at++] : "list";
	char *name = xasprintf(VERB_GROUP " %s", second);

	p->call->verb = verb_find(name);
	free(name);
	return p->call->verb ? OPS_DONE : fault(p, VERB_GROUP, second, " is not known; list, show, cat, replay and drop are");
}

static enum ops_exit take_verb(struct parser *p, const char *word)
{
	if (strcmp(word, VERB_GROUP) == 0)
		return take_second(p);
	p->call->verb = verb_find(word);
	if (p->call->verb)
		return OPS_DONE;
	for (size_t i = 0; i < ARRAY_LEN(LATER); i++)
		if (strcmp(LATER[i], word) == 0)
			return fault(p, word, NULL, " is not available in this version; relayq help tells what is");
	return fault_near(p, "verb", word, " is not known", verb_nearest(word));
}

/* One more of an array. False: not UTF-8. */
static bool take_word(json_t *args, const char *key, const char *word)
{
	json_t *words = json_object_get(args, key), *text = json_string(word);

	if (!text)
		return false;
	if (!words) {
		words = json_array();
		fact_json(args, key, words);
	}
	must(json_array_append_new(words, text) == 0);
	return true;
}

static enum ops_exit take_operand(struct parser *p, const char *word)
{
	const struct verb *verb = p->call->verb;
	json_t *args = p->call->args;

	switch (verb->operands) {
	case OPERANDS_NONE:
		break;
	case OPERANDS_ID:
	case OPERANDS_IDS:
		if ((verb->operands == OPERANDS_ID && json_object_get(args, "ids")) || !take_word(args, "ids", word))
			break;
		return OPS_DONE;
	case OPERANDS_WORDS:
		if (take_word(args, "words", word))
			return OPS_DONE;
		break;
	case OPERANDS_NAME:
		if (json_object_get(args, "name"))
			break;
		fact_text(args, "name", word);
		return OPS_DONE;
	case OPERANDS_VERB:
		if (!verb_find(word))
			return fault_near(p, "verb", word, " is not known", verb_nearest(word));
		verb_help(word, p->out);
		p->said = true;
		return OPS_DONE;
	}
	return fault(p, verb->name, word, ": one argument too many");
}

static enum ops_exit parse_words(struct parser *p)
{
	while (p->at < p->argc && !p->said) {
		const char *word = p->argv[p->at++];
		enum ops_exit status;

		if (!p->literal && strcmp(word, "--") == 0) {
			p->literal = true;
			continue;
		}
		if (!p->literal && word[0] == '-' && word[1])
			status = take_option(p, word);
		else
			status = p->call->verb ? take_operand(p, word) : take_verb(p, word);
		if (status != OPS_DONE)
			return status;
	}
	return OPS_DONE;
}

static bool has_choice(const json_t *args)
{
	for (size_t i = 0; i < verb_option_count; i++)
		if ((verb_options[i].group & (FILTERS | STATES)) && json_object_get(args, verb_options[i].key))
			return true;
	return json_object_get(args, "ids") != NULL;
}

/* What must be there is. */
static enum ops_exit check_operands(struct parser *p)
{
	const struct verb *verb = p->call->verb;
	json_t *args = p->call->args;

	if (verb->operands == OPERANDS_ID && !json_object_get(args, "ids"))
		return fault(p, verb->name, NULL, ": expected an ID");
	if (verb->operands == OPERANDS_NAME && !json_object_get(args, "name"))
		return fault(p, verb->name, NULL, ": expected an ID, or the name of a destination, tenant or source");
	if ((verb->options & CHANGES) && !has_choice(args))
		return fault(p, verb->name, NULL, ": whom? expected IDs or a filter; '*' is all");
	return OPS_DONE;
}

enum ops_exit verb_parse(struct verb_call *call, int argc, char **argv, FILE *out, FILE *err)
{
	struct parser p = { .call = call, .out = out, .err = err, .argc = argc, .at = 1, .argv = argv };
	enum ops_exit status;

	*call = (struct verb_call){ .file = RELAYQ_FILE, .args = json_object() };
	status = parse_words(&p);
	if (status == OPS_DONE && !p.said && !call->verb)
		call->verb = verb_find("stats");
	if (status == OPS_DONE && !p.said && call->verb->operands == OPERANDS_VERB) {
		verb_help(NULL, out);
		p.said = true;
	}
	if (status == OPS_DONE && !p.said)
		status = check_operands(&p);
	if (status == OPS_DONE && !p.said)
		return OPS_DONE;
	verb_call_fini(call);
	return status;
}

void verb_call_fini(struct verb_call *call)
{
	json_decref(call->args);
	call->args = NULL;
	call->verb = NULL;
}
