/* conf/replies.h - rules that say what a receiving server's reply means: the operator's file of rules, then the shipped replies.yaml.
 *
 * Only what stands in the files, checked for form; relay/deliver/verdict.h compiles the patterns and applies the rules. How a rule is
 * written stands at the top of conf/replies.yaml. */
#ifndef CONF_REPLIES_H
#define CONF_REPLIES_H

#include "conf/fault.h"
#include "conf/meaning.h"
#include "conf/memory.h"

/* A text of a rule and where it stands. */
struct replies_text {
	const char *text;
	struct place at;
};

struct replies_list {
	struct replies_text *items;
	size_t count; /* 0: no condition */
};

struct replies_rule {
	const char *name;
	struct place at;
	enum replies_class class;
	enum replies_scope scope;
	enum replies_action temporary, permanent; /* for 4xx and for 5xx */
	struct replies_list providers; /* names, lower case */
	struct replies_list codes;     /* "421", "45x" */
	struct replies_list enhanced;  /* "5.1.1", "x.7.x" */
	struct replies_list text;      /* patterns, one of which must be found */
	struct replies_list unless;    /* patterns, none of which may be found */
	struct replies_list examples;  /* replies that must reach this rule */
};

struct replies {
	struct replies_rule *rules; /* the first that fits counts */
	size_t count;
};

/*
 * Read the operator's rules (`file`, NULL: none) and the shipped ones behind them.
 *
 *   memory  owns the result and everything in it
 *   faults  gets what is wrong with `file`; `file` must live as long as the places are used
 *
 * Never NULL; rules at fault are left out. Patterns are not compiled here.
 */
struct replies *replies_load(struct memory *memory, const char *file, struct fault_list *faults) MUST_USE;

/* The same from text. For tests and the fuzzer. */
struct replies *replies_load_text(struct memory *memory, const char *file, const char *text, size_t len, struct fault_list *faults)
    MUST_USE;

/* Whether a three-digit code or an enhanced code fits one of the list; an empty list fits all. Pure. */
bool replies_code_fits(const struct replies_list *codes, int code);
bool replies_enhanced_fits(const struct replies_list *enhanced, const char *text);

#endif
