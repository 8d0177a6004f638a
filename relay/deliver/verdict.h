/* relay/deliver/verdict.h - what a reply means: the rules of conf/replies.h, applied.
 *
 * Decides nothing: the class is stored and shown, scope, action and waiting time are for those who act. */
#ifndef DELIVER_VERDICT_H
#define DELIVER_VERDICT_H

#include "conf/conf.h"
#include "conf/replies.h"

struct verdict {
	enum replies_class class;
	enum replies_scope scope;
	enum replies_action action;
	const char *rule; /* its name; lives as long as the rules */
	int64_t wait_ms;  /* how long the reply itself asks us to wait; 0: it names no time */
};

/* The rules, compiled. */
struct verdict_rules;

/*
 * Compile what conf/replies.h has read.
 *
 *   replies  borrowed for the rules' whole life
 *   faults   gets a pattern that does not compile, with its place; NULL: such patterns find nothing
 */
struct verdict_rules *verdict_rules_create(const struct replies *replies, struct fault_list *faults) MUST_USE;
void verdict_rules_destroy(struct verdict_rules **rules);

/* `reply` on one line, "550 5.1.1 words / more words", any bytes; `provider` the destination's name or "". Every reply has a verdict: the last
 * resort is its code (RFC 3463, RFC 5321 section 4.2.1). One thread at a time. */
void verdict_of(struct verdict_rules *rules, const char *provider, const char *reply, struct verdict *out);

/* Add what is wrong with the operator's rules: patterns, and with `examples` those that reach another rule (of the shipped rules too). */
void verdict_check(const struct conf *conf, bool examples, struct conf_faults *faults);

/* The same for rules without a configuration. */
void verdict_check_rules(const struct replies *replies, bool examples, struct fault_list *faults);

#endif
