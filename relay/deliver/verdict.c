/* relay/deliver/verdict.c - what a reply means: the rules of conf/replies.h, applied. */
#include "relay/deliver/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "relay/deliver/pattern.h"
#include "relay/deliver/waiting.h"
#include "relay/deliver/wording.h"

/* Patterns of a list, any of which will do. */
struct patterns {
	struct pattern **items; /* NULL where the pattern does not compile */
	size_t count;
};

struct compiled {
	const struct replies_rule *rule;
	struct patterns text, unless;
};

struct verdict_rules {
	struct compiled *items;
	size_t count;
	struct waiting *waiting;
	/* A job's recipients are often refused in the same words: the last reply and what came of it. */
	struct wording last;
	char last_provider[64];
	struct verdict last_verdict;
	bool has_last;
};

/* --- compiling -------------------------------------------------------------------------------------------------------------- */

static struct patterns patterns_create(const char *key, const struct replies_list *list, struct fault_list *faults)
{
	struct patterns out = { xcalloc(list->count + 1, sizeof(struct pattern *)), list->count };
	struct err_detail why;

	for (size_t i = 0; i < list->count; i++) {
		out.items[i] = pattern_create(list->items[i].text, &why);
		if (!out.items[i] && faults)
			fault_error(faults, list->items[i].at, "%s is no pattern: %s, expected a regular expression of PCRE2", key, why.text);
	}
	return out;
}

static void patterns_fini(struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++)
		pattern_destroy(&patterns->items[i]);
	free(patterns->items);
}

struct verdict_rules *verdict_rules_create(const struct replies *replies, struct fault_list *faults)
{
	struct verdict_rules *rules = xcalloc(1, sizeof(*rules));

	rules->count = replies->count;
	rules->items = xcalloc(replies->count + 1, sizeof(*rules->items));
	rules->waiting = waiting_create();
	for (size_t i = 0; i < replies->count; i++) {
		struct compiled *item = &rules->items[i];

		item->rule = &replies->rules[i];
		item->text = patterns_create("text", &item->rule->text, faults);
		item->unless = patterns_create("unless", &item->rule->unless, faults);
	}
	return rules;
}

void verdict_rules_destroy(struct verdict_rules **rules)
{
	if (!*rules)
		return;
	for (size_t i = 0; i < (*rules)->count; i++) {
		patterns_fini(&(*rules)->items[i].text);
		patterns_fini(&(*rules)->items[i].unless);
	}
	waiting_destroy(&(*rules)->waiting);
	free((*rules)->items);
	free(*rules);
	*rules = NULL;
}

/* --- applying --------------------------------------------------------------------------------------------------------------- */

static bool any_found(const struct patterns *patterns, const struct pattern_subject *subject)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (patterns->items[i] && pattern_found(patterns->items[i], subject))
			return true;
	return false;
}

static bool provider_fits(const struct replies_list *providers, const char *provider)
{
	for (size_t i = 0; i < providers->count; i++)
		if (strcmp(providers->items[i].text, provider) == 0)
			return true;
	return providers->count == 0;
}

static bool fits(const struct compiled *item, const char *provider, const struct wording *wording, const struct pattern_subject *subject)
{
	return provider_fits(&item->rule->providers, provider) && replies_code_fits(&item->rule->codes, wording->code) &&
	    replies_enhanced_fits(&item->rule->enhanced, wording->enhanced) &&
	    (item->text.count == 0 || any_found(&item->text, subject)) && !any_found(&item->unless, subject);
}

/* The shipped rules end with one that fits all; NULL without them. */
static const struct replies_rule *first_fitting(const struct verdict_rules *rules, const char *provider, const struct wording *wording,
    const struct pattern_subject *subject)
{
	for (size_t i = 0; i < rules->count; i++)
		if (fits(&rules->items[i], provider, wording, subject))
			return rules->items[i].rule;
	return NULL;
}

static bool is_last(const struct verdict_rules *rules, const char *provider, const struct wording *wording)
{
	const struct wording *last = &rules->last;

	return rules->has_last && last->code == wording->code && last->len == wording->len &&
	    memcmp(last->text, wording->text, wording->len) == 0 && strcmp(last->enhanced, wording->enhanced) == 0 &&
	    strcmp(rules->last_provider, provider) == 0;
}

static void remember(struct verdict_rules *rules, const char *provider, const struct wording *wording, const struct verdict *verdict)
{
	size_t len = strlen(provider);

	rules->has_last = len < sizeof(rules->last_provider);
	if (!rules->has_last)
		return;
	memcpy(rules->last_provider, provider, len + 1);
	rules->last.code = wording->code;
	rules->last.len = wording->len;
	memcpy(rules->last.enhanced, wording->enhanced, sizeof(wording->enhanced));
	memcpy(rules->last.text, wording->text, wording->len);
	rules->last_verdict = *verdict;
}

void verdict_of(struct verdict_rules *rules, const char *provider, const char *reply, struct verdict *out)
{
	struct pattern_subject subject;
	struct wording wording;
	const struct replies_rule *rule;

	wording_read(&wording, reply);
	if (is_last(rules, provider, &wording)) {
		*out = rules->last_verdict;
		return;
	}
	pattern_subject_init(&subject, wording.text, wording.len);
	rule = first_fitting(rules, provider, &wording, &subject);
	must(rule);
	*out = (struct verdict){
		.class = rule->class,
		.scope = rule->scope,
		.action = wording.code / 100 == 5 ? rule->permanent : rule->temporary,
		.rule = rule->name,
		.wait_ms = waiting_ms(rules->waiting, &subject),
	};
	remember(rules, provider, &wording, out);
}

/* --- checking --------------------------------------------------------------------------------------------------------------- */

/* A shipped rule may lose its examples to the operator's rules, which come first: that is what they are for. */
static void check_example(const struct verdict_rules *rules, const struct replies_rule *rule, const struct replies_text *example,
    const char *provider, struct fault_list *faults)
{
	struct pattern_subject subject;
	struct wording wording;
	const struct replies_rule *reached;
	char quoted[FAULT_QUOTE];

	wording_read(&wording, example->text);
	pattern_subject_init(&subject, wording.text, wording.len);
	reached = first_fitting(rules, provider, &wording, &subject);
	if (reached != rule && !(reached < rule && reached->at.file != rule->at.file))
		fault_error(faults, example->at, "the example %s reaches the rule \"%s\", expected \"%s\"",
		    fault_quote(example->text, quoted), reached->name, rule->name);
}

/* At each provider that the rule names. */
static void check_examples(const struct verdict_rules *rules, const struct replies_rule *rule, struct fault_list *faults)
{
	for (size_t i = 0; i < rule->examples.count; i++) {
		if (rule->providers.count == 0)
			check_example(rules, rule, &rule->examples.items[i], "", faults);
		for (size_t p = 0; p < rule->providers.count; p++)
			check_example(rules, rule, &rule->examples.items[i], rule->providers.items[p].text, faults);
	}
}

void verdict_check_rules(const struct replies *replies, bool examples, struct fault_list *faults)
{
	struct verdict_rules *rules = verdict_rules_create(replies, faults);

	if (examples && faults->errors == 0)
		for (size_t i = 0; i < replies->count; i++)
			check_examples(rules, &replies->rules[i], faults);
	verdict_rules_destroy(&rules);
}

void verdict_check(const struct conf *conf, bool examples, struct conf_faults *faults)
{
	struct fault_list list = { 0 };

	verdict_check_rules(conf->reply_rules, examples, &list);
	fault_export(&list, faults);
}
